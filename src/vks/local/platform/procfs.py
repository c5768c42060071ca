"""Which process is which, by pid *and* start time, so that a reused pid is never signalled."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class Identity(NamedTuple):
    """Names one process for ever: the kernel does not give the same pair twice per boot."""

    pid: int
    start_time: int  # clock ticks since boot, field 22 of proc(5) stat


def parse_stat(line: str) -> Identity | None:
    """The identity in a line of /proc/PID/stat, None when the line is cut short."""
    before, found, after = line.rpartition(") ")  # the command name may hold blanks and brackets
    fields = after.split()
    if not found or len(fields) < 20:
        return None
    return Identity(int(before.split(" ", 1)[0]), int(fields[19]))


def identity(pid: int) -> Identity | None:
    """Who has this pid now; None when nobody has or it is a zombie."""
    try:
        line = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if line.rpartition(") ")[2].startswith(("Z", "X")) else parse_stat(line)


def environment(pid: int) -> dict[str, str]:
    """The environment that a process was started with; empty when it is gone."""
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return {}
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if entry)
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs}


def pids_in_netns(path: Path) -> Iterator[int]:
    """Every process inside the network namespace that `path` names."""
    try:
        wanted = path.stat()
    except FileNotFoundError:
        return
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            found = (entry / "ns/net").stat()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
            yield int(entry.name)


class Handle:
    """A process held by a pidfd: waiting for it and signalling it cannot hit another one."""

    def __init__(self, who: Identity, fd: int) -> None:
        self.identity = who
        self._fd = fd
        self._waiting: list[asyncio.Future[None]] = []

    @classmethod
    def open(cls, who: Identity) -> Handle | None:
        """None when that process has ended."""
        try:
            fd = os.pidfd_open(who.pid)
        except ProcessLookupError:
            return None
        if identity(who.pid) != who:  # the pid was reused before the descriptor was opened
            os.close(fd)
            return None
        return cls(who, fd)

    async def wait(self) -> None:
        """Returns once the process has ended, whoever its parent is and whoever else waits."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        self._waiting.append(ended)
        loop.add_reader(self._fd, self._tell)  # a loop has one reader for a descriptor
        try:
            await ended
        finally:
            self._waiting.remove(ended)
            if not self._waiting:
                loop.remove_reader(self._fd)

    def _tell(self) -> None:
        for ended in self._waiting:
            if not ended.done():
                ended.set_result(None)

    def send(self, number: signal.Signals) -> None:
        """Signals the process; one that has ended is left in peace."""
        try:
            signal.pidfd_send_signal(self._fd, number)
        except ProcessLookupError:
            return

    async def terminate(self, grace: float) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds; returns once the process has ended."""
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.wait()

    def close(self) -> None:
        os.close(self._fd)
