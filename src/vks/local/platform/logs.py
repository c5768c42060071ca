"""Log files of supervised processes.

A process writes straight into its file, opened for appending: nothing is lost, and nothing
blocks, when the supervisor dies. The price is rotation by copy and truncate.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MAX_BYTES = 20 * 2**20
_CHUNK = 2**16


def log_path(directory: Path, name: str) -> Path:
    return directory / f"{name}.log"


def open_log(directory: Path, name: str) -> int:
    """A descriptor that appends to the log of `name`; only root reads logs."""
    directory.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    return os.open(log_path(directory, name), flags, 0o600)


def rotate(directory: Path, name: str, limit: int = MAX_BYTES) -> bool:
    """Moves a log of more than `limit` bytes to NAME.log.1; True when it did.

    Lines written between the copy and the truncation, microseconds apart, are lost.
    """
    path = log_path(directory, name)
    if not path.exists() or path.stat().st_size <= limit:
        return False
    shutil.copyfile(path, path.with_suffix(".log.1"))
    path.with_suffix(".log.1").chmod(0o600)
    os.truncate(path, 0)
    return True


def tail(directory: Path, name: str, lines: int) -> str:
    """The last `lines` lines of the log; empty when there is none."""
    path = log_path(directory, name)
    if not path.exists():
        return ""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        data = b""
        while position > 0 and data.count(b"\n") <= lines:
            step = min(_CHUNK, position)
            position -= step
            file.seek(position)
            data = file.read(step) + data
    kept = data.splitlines(keepends=True)[-lines:]
    return b"".join(kept).decode(errors="replace")
