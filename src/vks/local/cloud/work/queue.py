"""A queue of keys: each key is worked on by one task at a time, and again if it came again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

_FIRST_RETRY, _LAST_RETRY = 0.2, 5.0  # seconds


class KeyedQueue:
    """Runs `handle(key)` for added keys; a handler that raises is tried again later."""

    def __init__(
        self, name: str, handle: Callable[[str], Awaitable[None]], concurrency: int = 16
    ) -> None:
        self._name = name
        self._handle = handle
        self._slots = asyncio.Semaphore(concurrency)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._closed = False

    def add(self, key: str) -> None:
        """Idempotent while the key waits; a key that is being worked on comes again after."""
        if self._closed:
            return
        if key in self._running:
            self._again.add(key)
            return
        self._running[key] = asyncio.create_task(self._work(key), name=f"{self._name} {key}")

    async def close(self) -> None:
        """Stop where it is: everything is recorded and resumed by the next process."""
        self._closed = True
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Returns when nothing waits and nothing runs."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def _work(self, key: str) -> None:
        try:
            while True:
                self._again.discard(key)
                delay = await self._once(key)
                if delay is not None:
                    await asyncio.sleep(delay)
                elif key not in self._again:
                    return
        finally:
            self._running.pop(key, None)

    async def _once(self, key: str) -> float | None:
        """Handle the key; the seconds to wait before the next try if it failed."""
        try:
            async with self._slots:
                await self._handle(key)
        except asyncio.CancelledError:
            raise
        except Exception:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            delay = min(_FIRST_RETRY * 2.0**failures, _LAST_RETRY)
            _log.exception("%s %s failed, again in %.1f s", self._name, key, delay)
            return delay
        self._failures.pop(key, None)
        return None
