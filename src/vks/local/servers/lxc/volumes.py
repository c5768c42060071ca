"""Root volumes: a file system of the size that was asked for, filled from the image.

Snapshots of the image are instant and as large as the pool; a volume is an ext4 file system in a
sparse file, so that the server has the room that it paid for and no more. Filling it takes as long
as copying the image does. `ID.volume` is the file, mounted where other servers have their disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from vks.local.fabric.command import run
from vks.local.fabric.lock import InheritedLock

_SUFFIX = ".volume"
_GIB = 2**30
#: Seconds; a few for each GiB of the image on an idle machine.
_FILLED = 300.0


class VolumeStore:
    """The volumes of one instance's servers, in the directory of its disks."""

    def __init__(self, directory: Path, lock_file: Path) -> None:
        self._directory = directory
        self._lock = InheritedLock(lock_file)

    def _file(self, server_id: str) -> Path:
        return self._directory / f"{server_id}{_SUFFIX}"

    def _partial(self, server_id: str) -> Path:
        return self._directory / f"{server_id}{_SUFFIX}.partial"

    def exists(self, server_id: str) -> bool:
        """Whether the server has a complete volume."""
        return self._file(server_id).exists()

    async def make(
        self, server_id: str, gib: int, image: Path, finish: Callable[[Path], None]
    ) -> None:
        """Makes the volume unless it is there; `finish` gets the root of the file system. What
        does not fit raises CommandError."""
        if self.exists(server_id):
            return
        partial, root = self._partial(server_id), self._directory / f"{server_id}.partial"
        async with self._lock.held() as lock:
            await _detach(root, lock)
            partial.unlink(missing_ok=True)
            with partial.open("wb") as file:
                file.truncate(gib * _GIB)
            options = ("-q", "-F", "-t", "ext4", "-m", "0", "-E", "nodiscard", "-d", str(image))
            await run("mke2fs", *options, str(partial), pass_fds=(lock,), timeout=_FILLED)
            await _attach(partial, root, lock)
            await asyncio.to_thread(finish, root)
            await _detach(root, lock)
        partial.rename(self._file(server_id))

    async def attach(self, server_id: str, root: Path) -> None:
        """Mounts the server's volume, if it has one, at `root`."""
        if self.exists(server_id) and not _is_mounted(root):
            async with self._lock.held() as lock:
                await _attach(self._file(server_id), root, lock)

    async def delete(self, server_id: str, root: Path) -> None:
        """Removes the volume in whatever state it is, and `root`, where it is mounted."""
        files = (self._file(server_id), self._partial(server_id))
        if not any(file.exists() for file in files):
            return
        async with self._lock.held() as lock:
            for place in (root, self._directory / f"{server_id}.partial"):
                await _detach(place, lock)
            for file in files:
                file.unlink(missing_ok=True)


async def _attach(file: Path, root: Path, lock: int) -> None:
    _ensure_directory(root)
    await run("mount", "-o", "loop,noatime,barrier=0", str(file), str(root), pass_fds=(lock,))


async def _detach(root: Path, lock: int) -> None:
    if _is_mounted(root):
        await run("umount", str(root), pass_fds=(lock,))
    _remove_directory(root)


def _ensure_directory(path: Path) -> None:
    path.mkdir(exist_ok=True)


def _remove_directory(path: Path) -> None:
    if path.exists():
        path.rmdir()


def _is_mounted(path: Path) -> bool:
    return path.is_mount()


def server_of(entry: str) -> str:
    """The server whose volume an entry of the directory belongs to."""
    return entry.removesuffix(".partial").removesuffix(_SUFFIX)
