"""Watches a project's servers: Nova has no watch, so one list per interval serves all machines.

The interval is short only while somebody waits for a change. It grows with the time that a list
takes (a project with thousands of servers is not hammered) and with the time that has been waited
in vain (a server stuck in BUILD is not polled twice a second for ever).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from vks.kube.objects import Key
from vks.runtime.clock import Clock
from vks.verda.compute import Compute, Server
from vks.verda.errors import CloudError, RateLimited
from vks.verda.pace import urgent

FAST = 0.5  # seconds between lists while somebody waits
PATIENT = 5.0  # the same, once the wait has lasted PATIENCE seconds
PATIENCE = 120.0
SLOW = 30.0  # when nobody waits: to notice servers that were deleted behind our back
LOAD = 10.0  # an interval is at least this many times as long as a list takes

log = structlog.get_logger(__name__)


@dataclass
class _Follower:
    key: Key
    since: float | None  # when the wait began; None: not waiting


class ServerPoller:
    """The servers of one project as the last list showed them. `notify` is called with the key of
    every machine whose server changed or vanished."""

    def __init__(self, compute: Compute, notify: Callable[[Key], None], clock: Clock) -> None:
        self._compute = compute
        self._notify = notify
        self._clock = clock
        self._followers: dict[str, _Follower] = {}
        self._servers: dict[str, Server] = {}
        self._listed = False
        self._listing = asyncio.Lock()
        self._wake = asyncio.Event()

    def follow(
        self, server_id: str, key: Key, *, waiting: bool, server: Server | None = None
    ) -> None:
        """Tell `key` when the server changes; `waiting` asks for short intervals. `server` is what
        the caller knows of it, which is news of one that has just been made."""
        follower = self._followers.setdefault(server_id, _Follower(key, None))
        if server is not None:
            self._servers.setdefault(server_id, server)
        if waiting and follower.since is None:
            follower.since = self._clock.monotonic()
            self._wake.set()
        elif not waiting:
            follower.since = None

    def forget(self, server_id: str) -> None:
        self._followers.pop(server_id, None)
        self._servers.pop(server_id, None)

    def followers(self) -> list[Key]:
        """Who follows a server."""
        return [follower.key for follower in self._followers.values()]

    async def look(self, server_id: str) -> Server | None:
        """The server as last seen, or asked for when it was not; None when it does not exist.

        The first look lists all servers: after a restart every machine asks for its own.
        """
        async with self._listing:
            if not self._listed:
                self._servers |= {server.id: server for server in await self._list()}
                self._listed = True
        known = self._servers.get(server_id)
        if known is not None:
            return known
        server = await self._compute.find_server(server_id)
        if server is not None and server_id in self._followers:
            self._servers[server_id] = server
        return server

    async def run(self) -> None:
        """Poll until cancelled."""
        failures = 0
        pause = 0.0
        while True:
            await self._sleep(pause, interruptible=failures == 0)
            if not self._followers:
                pause = SLOW
                continue
            started = self._clock.monotonic()
            try:
                self._take(await self._list())
                failures = 0
                pause = self._interval(self._clock.monotonic() - started)
            except CloudError as error:
                failures += 1
                pause = min(SLOW, FAST * 2**failures)
                if isinstance(error, RateLimited):
                    pause = max(pause, error.retry_after)
                log.warning("servers cannot be listed", code=error.code, error=error.message)

    async def _list(self) -> list[Server]:
        """Before what single machines ask: it serves them all."""
        with urgent():
            return await self._compute.servers()

    def _interval(self, took: float) -> float:
        now = self._clock.monotonic()
        waits = [now - f.since for f in self._followers.values() if f.since is not None]
        if not waits:
            return SLOW
        return max(FAST if min(waits) < PATIENCE else PATIENT, took * LOAD)

    async def _sleep(self, seconds: float, *, interruptible: bool) -> None:
        """Until the time is over; while nobody waits, also until somebody does."""
        if not interruptible or seconds <= PATIENT:
            await asyncio.sleep(seconds)
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    def _take(self, listed: list[Server]) -> None:
        present = {server.id: server for server in listed if server.id in self._followers}
        before = self._servers
        self._servers = present
        self._listed = True
        for server_id, follower in list(self._followers.items()):
            if present.get(server_id) != before.get(server_id):
                self._notify(follower.key)
