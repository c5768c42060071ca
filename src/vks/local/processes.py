"""Watches and ends processes by pidfd: no polling, and never a recycled process id."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path


def open_pidfd(pid: int) -> int | None:
    """A handle on the process, or None when it is gone."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def kill(pids: Iterable[int], number: signal.Signals | int = signal.SIGKILL) -> None:
    """Signals those that still exist."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def children(pid: int) -> list[int]:
    """The direct children of the process's main thread; empty when it is gone."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def with_argument(argument: str) -> list[int]:
    """Every process that has exactly that word on its command line."""
    word = b"\0" + argument.encode() + b"\0"
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if word in Path("/proc", entry, "cmdline").read_bytes():
                    found.append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


async def wait_gone(pids: Iterable[int], timeout: float) -> bool:
    """Waits (seconds) until all have ended; whether they have."""
    try:
        async with asyncio.timeout(timeout):
            for pid in pids:
                handle = open_pidfd(pid)
                if handle is not None:
                    await _readable(handle)
    except TimeoutError:
        return False
    return True


async def _readable(handle: int) -> None:
    """Waits until the pidfd says that its process ended, and closes it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


class ExitWatch:
    """Calls back, once, when a watched process ends."""

    def __init__(self, on_exit: Callable[[str], None]) -> None:
        self._on_exit = on_exit
        self._handles: dict[str, int] = {}

    def watch(self, key: str, pid: int) -> None:
        """Watches the process in place of the one that was watched under that key."""
        self.forget(key)
        handle = open_pidfd(pid)
        if handle is None:
            self._on_exit(key)
            return
        self._handles[key] = handle
        asyncio.get_running_loop().add_reader(handle, self._ended, key)

    def forget(self, key: str) -> None:
        """Stops watching: what happens from here on was asked for."""
        handle = self._handles.pop(key, None)
        if handle is not None:
            asyncio.get_running_loop().remove_reader(handle)
            os.close(handle)

    def close(self) -> None:
        for key in list(self._handles):
            self.forget(key)

    def _ended(self, key: str) -> None:
        self.forget(key)
        self._on_exit(key)
