"""The work queue of client-go, with controller-runtime's priorities.

A key is held by at most one worker. A key that is added while a worker holds it runs once
more afterwards. Everything happens on one event loop, so no method but `get` ever waits.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)

#: Deletions: they are short, and give back what others may wait for.
HIGH_PRIORITY = 100
#: What somebody has been waiting for, and can go on with now.
RAISED_PRIORITY = 50
#: What a user or the cloud has just changed.
NORMAL_PRIORITY = 0
#: Initial lists and periodic resyncs: they must not delay what somebody waits for.
LOW_PRIORITY = -100

_BASE_DELAY = 0.005
_MAX_DELAY = 1000.0


class QueueShutDownError(Exception):
    """The queue is shut down and holds nothing more to hand out."""


class QueueObserver(Protocol):
    """Told about every step of a key (metrics)."""

    def added(self, priority: int) -> None: ...
    def started(self, priority: int, waited: float) -> None: ...
    def finished(self, worked: float) -> None: ...
    def retried(self) -> None: ...


class WorkQueue(Generic[K]):
    """Deduplicating queue with priorities, delays and per-key exponential back-off."""

    def __init__(
        self,
        *,
        base_delay: float = _BASE_DELAY,
        max_delay: float = _MAX_DELAY,
    ) -> None:
        """Delays in seconds: the first retry's, and the longest."""
        self._base_delay = base_delay
        self._max_delay = max_delay
        self.observer: QueueObserver | None = None
        self._order = itertools.count()
        self._ready: list[tuple[int, int, K]] = []  # (-priority, order, key), with stale entries
        self._dirty: dict[K, tuple[int, float]] = {}  # key -> (priority, added at)
        self._processing: dict[K, float] = {}  # key -> started at
        self._waiting: list[tuple[float, int, K]] = []  # (due, order, key), with stale entries
        self._due: dict[K, tuple[float, int]] = {}  # key -> (due, priority)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._failures: dict[K, int] = {}
        self._getters: list[asyncio.Future[None]] = []
        self._idle: list[asyncio.Future[None]] = []
        self._shutting_down = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        """Keys that are ready and held by no worker."""
        return sum(1 for key in self._dirty if key not in self._processing)

    @property
    def waiting(self) -> int:
        """Keys that wait for their delay."""
        return len(self._due)

    @property
    def shutting_down(self) -> bool:
        return self._shutting_down

    def running_for(self) -> list[float]:
        """How long each held key has been held, in seconds."""
        if not self._processing:
            return []
        now = self._now()
        return [now - started for started in self._processing.values()]

    def depth_by_priority(self) -> dict[int, int]:
        """Ready keys per priority."""
        depth: dict[int, int] = {}
        for key, (priority, _) in self._dirty.items():
            if key not in self._processing:
                depth[priority] = depth.get(priority, 0) + 1
        return depth

    def add(self, key: K, priority: int = NORMAL_PRIORITY) -> None:
        """Makes the key ready; a ready key at most gets a higher priority."""
        if self._shutting_down:
            return
        known = self._dirty.get(key)
        if known is not None and known[0] >= priority:
            return
        self._dirty[key] = (priority, known[1] if known else self._now())
        if known is None and self.observer is not None:
            self.observer.added(priority)
        if key not in self._processing:
            self._push(key, priority)

    def add_after(self, key: K, delay: float, priority: int = NORMAL_PRIORITY) -> None:
        """Adds the key in `delay` seconds; of several delays the earliest counts."""
        if self._shutting_down:
            return
        if delay <= 0:
            self.add(key, priority)
            return
        due = self._now() + delay
        known = self._due.get(key)
        if known is not None:
            priority = max(priority, known[1])
            due = min(due, known[0])
        self._due[key] = (due, priority)
        heapq.heappush(self._waiting, (due, next(self._order), key))
        self._arm()

    def add_rate_limited(self, key: K, priority: int = NORMAL_PRIORITY) -> float:
        """Adds the key after its back-off, which doubles with every call until `forget`.
        Returns the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # The exponent is bounded: 2**2000 does not fit a float.
        delay = min(self._base_delay * 2.0 ** min(failures, 64), self._max_delay)
        if self.observer is not None:
            self.observer.retried()
        self.add_after(key, delay, priority)
        return delay

    def forget(self, key: K) -> None:
        """Ends the key's back-off."""
        self._failures.pop(key, None)

    def retries(self, key: K) -> int:
        """How often the key was rate limited since it was last forgotten."""
        return self._failures.get(key, 0)

    def discard(self, unwanted: Callable[[K], bool]) -> None:
        """Drops keys that no worker holds, their delays and back-offs included; a held key
        does not run again."""
        for key in [key for key in self._dirty if unwanted(key)]:
            del self._dirty[key]
        for key in [key for key in self._due if unwanted(key)]:
            del self._due[key]
        for key in [key for key in self._failures if unwanted(key)]:
            del self._failures[key]

    async def get(self) -> tuple[K, int]:
        """The next key and its priority; pass the key to `done` afterwards.

        Raises QueueShutDownError once the queue is shut down and empty.
        """
        while True:
            if (item := self._pop()) is not None:
                return item
            if self._shutting_down:
                raise QueueShutDownError
            waiter = self._running_loop().create_future()
            self._getters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # we were chosen, but will not come: tell the next one
                raise
            finally:
                if waiter in self._getters:
                    self._getters.remove(waiter)

    def done(self, key: K) -> None:
        """The worker lets go of the key; it becomes ready again if it was added meanwhile."""
        started = self._processing.pop(key)
        if self.observer is not None:
            self.observer.finished(self._now() - started)
        if key in self._dirty:
            self._push(key, self._dirty[key][0])
        waiters, self._idle = self._idle, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def shut_down(self) -> None:
        """Takes nothing more; workers get what is ready and then QueueShutDownError."""
        self._shutting_down = True
        self._due.clear()
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)

    async def wait_idle(self, concerned: Callable[[K], bool] = lambda _: True) -> None:
        """Returns when no worker holds such a key."""
        while any(concerned(key) for key in self._processing):
            waiter = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def _pop(self) -> tuple[K, int] | None:
        while self._ready:
            negative, _, key = heapq.heappop(self._ready)
            entry = self._dirty.get(key)
            if entry is None or entry[0] != -negative or key in self._processing:
                continue  # dropped, raised in priority, or handed out already
            del self._dirty[key]
            now = self._now()
            self._processing[key] = now
            if self.observer is not None:
                self.observer.started(entry[0], now - entry[1])
            return key, entry[0]
        return None

    def _push(self, key: K, priority: int) -> None:
        heapq.heappush(self._ready, (-priority, next(self._order), key))
        self._wake()

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.pop(0)
            if not getter.done():
                getter.set_result(None)
                return

    def _arm(self) -> None:
        """One timer, for the earliest delay."""
        while self._waiting and not self._current(self._waiting[0]):
            heapq.heappop(self._waiting)
        if not self._waiting:
            return
        due = self._waiting[0][0]
        if self._timer is not None:
            if not self._timer.cancelled() and self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due  # uvloop's handles do not tell
        self._timer = self._running_loop().call_at(due, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._now()
        while self._waiting and (self._waiting[0][0] <= now or not self._current(self._waiting[0])):
            entry = heapq.heappop(self._waiting)
            if self._current(entry):
                _, priority = self._due.pop(entry[2])
                self.add(entry[2], priority)
        self._arm()

    def _current(self, entry: tuple[float, int, K]) -> bool:
        known = self._due.get(entry[2])
        return known is not None and known[0] == entry[0]

    def _now(self) -> float:
        return self._running_loop().time()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:  # made before the loop runs; asking for it is a system call
            self._loop = asyncio.get_running_loop()
        return self._loop
