"""Makes things in the cloud exactly once, although answers get lost and callers are killed.

The rule: everything is found again by its owner. A creation first looks for what the owner already
has, and looks again when the answer was lost. Within one process creations for the same owner are
one flight: a reconcile that timed out leaves its call running, and the next one joins it instead of
starting a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from vks.verda.errors import Unavailable

T = TypeVar("T")

#: Seconds after a lost answer at which to look for what it may have made.
LOOK_AGAIN = (0.1, 0.3, 0.6)
ATTEMPTS = 3


class Flights:
    """Calls under way by key. A second caller with the same key gets the first one's answer."""

    def __init__(self) -> None:
        self._tasks: dict[Any, asyncio.Task[Any]] = {}

    async def run(self, key: Any, start: Callable[[], Awaitable[T]]) -> T:
        """Await `start()`, or the call of that key which is already under way. Cancelling the
        caller does not cancel the call."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(start())
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        result: T = await asyncio.shield(task)
        return result

    def _landed(self, key: Any, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(key, None)
        if not task.cancelled():
            task.exception()  # fetched: a call whose callers are all gone has nobody to tell

    async def settle(self, belongs: Callable[[Any], bool]) -> None:
        """Wait until the calls whose keys belong have ended, however they end."""
        tasks = [task for key, task in self._tasks.items() if belongs(key)]
        await asyncio.gather(*(asyncio.shield(task) for task in tasks), return_exceptions=True)

    async def close(self) -> None:
        """Cancel what is under way. What it made meanwhile is found by its owner later."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def create_once(
    find: Callable[[], Awaitable[T | None]],
    create: Callable[[], Awaitable[T]],
) -> T:
    """What `find` finds, or else what `create` makes. After a failure `find` decides. If it finds
    nothing, a creation that was answered with 5xx is over and is tried again; one without an answer
    may still be under way, so the error is raised and a later call starts over with `find`."""
    found = await find()
    if found is not None:
        return found
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await create()
        except Unavailable as error:
            found = await _look_again(find)
            if found is not None:
                return found
            if error.status == 0 or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _look_again(find: Callable[[], Awaitable[T | None]]) -> T | None:
    for pause in LOOK_AGAIN:
        await asyncio.sleep(pause)
        found = await find()
        if found is not None:
            return found
    return None
