"""Files that the platform writes: whole or not at all, and only when they change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


def write(path: Path, content: bytes | str, mode: int = 0o600) -> bool:
    """Makes `path` hold `content`; True when it did not. By default only its owner reads it."""
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".tmp")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
    partial.chmod(mode)
    partial.replace(path)
    return True


def digest(paths: Iterable[Path]) -> str:
    """Changes when the name or the content of one of the files does."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(f"{path}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]
