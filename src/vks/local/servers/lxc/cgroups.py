"""The cgroups of a container: who is in it, in every hierarchy of version 1 and in version 2.

The kernel's own answer to "does it run", valid whatever process files say and whoever was killed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def is_v2() -> bool:
    """Whether the machine has the unified hierarchy only."""
    return (_ROOT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """The mount points of all cgroup hierarchies."""
    if is_v2():
        return [_ROOT]
    found: dict[Path, None] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount_point, kind, _ = line.split(" ", 3)
        if kind in ("cgroup", "cgroup2") and Path(mount_point).is_relative_to(_ROOT):
            found[Path(mount_point).resolve()] = None
    return list(found)


class Cgroups:
    """The cgroups `PREFIX.monitor`, `PREFIX.payload` and `PREFIX.pivot` of one container."""

    def __init__(self, prefix: str, roots: list[Path]) -> None:
        self._prefix = prefix
        self._roots = roots

    def monitor(self) -> list[int]:
        """The pid of LXC's monitor process, if it lives."""
        return self._pids(f"{self._prefix}.monitor")

    def payload(self) -> list[int]:
        """Every process of the container, the init among them."""
        return self._pids(f"{self._prefix}.payload")

    def remove(self) -> None:
        """Removes all cgroups of the container; OSError (EBUSY) while a process is inside."""
        for root in self._roots:
            for part in ("monitor", "payload", "pivot"):
                for directory in _tree(root / f"{self._prefix}.{part}"):
                    try:
                        directory.rmdir()
                    except FileNotFoundError:
                        continue  # LXC's monitor tidies up at the same time

    def _pids(self, name: str) -> list[int]:
        """The processes below the cgroup, in the first hierarchy that has it."""
        for root in self._roots:
            if (root / name).is_dir():
                return [pid for directory in _tree(root / name) for pid in _procs(directory)]
        return []


def names(prefix: str, roots: list[Path]) -> set[str]:
    """The cgroups at the top of any hierarchy whose name begins so."""
    return {entry for root in roots for entry in os.listdir(root) if entry.startswith(prefix)}


def _tree(directory: Path) -> Iterator[Path]:
    """The directory and all below it, deepest first; nothing if it does not exist."""
    for path, _, _ in os.walk(directory, topdown=False):
        yield Path(path)


def _procs(directory: Path) -> list[int]:
    try:
        return [int(line) for line in (directory / "cgroup.procs").read_text().split()]
    except (FileNotFoundError, OSError) as error:
        # a cgroup that is just being removed (ENODEV), or a threaded one (EOPNOTSUPP)
        if isinstance(error, FileNotFoundError) or error.errno in (19, 95):
            return []
        raise
