"""A lock that is passed on to the programs which work under it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class InheritedLock:
    """Excludes other tasks, and other processes by an advisory lock on a file.

    Programs that inherit the descriptor hold the lock too: when this process is killed, its
    successor waits for the program that was just running instead of racing with it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mutex = asyncio.Lock()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[int]:
        """Holds the lock; gives the descriptor to pass on."""
        async with self._mutex:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # Held by others only where a killed process left a program: milliseconds.
                while not _try_lock(handle):  # noqa: ASYNC110 - a lock between processes
                    await asyncio.sleep(0.01)
                yield handle
            finally:
                os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
