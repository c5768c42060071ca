"""How fast a cloud is asked: as fast as it takes calls, and what is urgent first.

A cloud limits the rate of calls and answers 429 to the others. To send them again and again takes
turns away from calls that would get through, and leaves to chance which those are. So calls wait
for their turn here. The rate is found out as TCP finds a link's: there is none until a call is
refused, then it is a little less than what got through just before, and it grows while calls wait
for it, the faster the longer none has been refused.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from vks.verda.errors import RateLimited

#: What of the rate that got through is used after a refusal.
DECREASE = 0.9
#: By what share the rate grows in a second after a refusal in which calls wait; twice as much when
#: none has been refused for QUIET seconds, three times after twice as long.
INCREASE = 0.005
QUIET = 20.0
#: Calls a second that are tried unless half of them are refused: a cloud that refuses now and then,
#: however slowly it is asked, has another reason.
SLOWEST = 5.0
#: Seconds that a call waits here when the cloud names a time; a longer wait is left to the caller's
#: queue, and calls are refused without asking until it is over.
SHORT_WAIT = 2.0
#: Seconds without a refusal after which the rate is unknown again.
FORGET = 300.0
#: Seconds over which a rate is measured: a cloud lets about so much pass at once.
_WINDOW = 1.0
#: Calls of which the share of refusals is taken.
_LATEST = 20

_urgent: ContextVar[bool] = ContextVar("urgent", default=False)


@contextmanager
def urgent() -> Iterator[None]:
    """Calls of this block go before others that wait: somebody gives something back, or many wait
    for what is asked."""
    token = _urgent.set(True)
    try:
        yield
    finally:
        _urgent.reset(token)


class Pace:
    """Of the calls of one credential. Make each in a `turn`, and tell how it was answered."""

    def __init__(self, at_once: int) -> None:
        """`at_once` calls are under way at most."""
        self._at_once = at_once
        self._under_way = 0
        self._rate: float | None = None
        self._taken: deque[float] = deque()
        self._latest: deque[bool] = deque(maxlen=_LATEST)  # whether they were refused
        self._next = -math.inf  # no call before
        self._refused_at = -math.inf
        self._held_until = -math.inf  # the cloud's own word
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def rate(self) -> float | None:
        """Calls a second; None while no limit is known."""
        return self._rate

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits until a call may be made, which is over when the block is. Raises RateLimited when
        that is too far away."""
        now = _now()
        if self._held_until - now > SHORT_WAIT:
            raise _too_far(self._held_until - now)
        if now - self._refused_at > FORGET:
            self._rate = None
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not _urgent.get(), next(self._order), waiter))
        self._give()
        try:
            await waiter
            yield
        finally:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._under_way -= 1
            self._give()

    def taken(self) -> None:
        """A call was answered, and not with a refusal."""
        now = _now()
        self._latest.append(False)
        self._taken.append(now)
        self._trim(now)

    async def refused(self, retry_after: float) -> None:
        """A call was refused; waits for as long as the cloud asks. Raises RateLimited when that is
        too long."""
        now = _now()
        self._latest.append(True)
        self._trim(now)
        if now - self._refused_at >= _WINDOW:  # else it was on its way with others
            if self._rate is None:  # a first guess: let the cloud have in reserve what it is off by
                self._next = now + retry_after
            slowest = SLOWEST if sum(self._latest) <= _LATEST / 2 else SLOWEST / 10
            known = math.inf if self._rate is None else self._rate
            through = len(self._taken) / _WINDOW
            self._rate = max(slowest, DECREASE * min(known, through))
            self._refused_at = now
        if retry_after > SHORT_WAIT:
            self._held_until = max(self._held_until, now + retry_after)
            for _, _, waiter in self._waiting:
                if not waiter.done():
                    waiter.set_exception(_too_far(retry_after))
            self._waiting.clear()
            raise _too_far(retry_after)
        await asyncio.sleep(retry_after)

    def _give(self) -> None:
        """Turns to those who are first, as many as there are now."""
        now = _now()
        while self._waiting and self._under_way < self._at_once:
            wait = max(self._next, self._held_until) - now
            if wait > 0:
                self._call_again(wait)
                return
            _, _, waiter = heapq.heappop(self._waiting)
            if waiter.done():
                continue  # its caller gave up
            if self._rate is not None:
                self._next = max(now, self._next) + 1.0 / self._rate
                if self._waiting:  # used to the full: a little more may get through
                    self._rate += INCREASE * (1.0 + (now - self._refused_at) / QUIET)
            self._under_way += 1
            waiter.set_result(None)

    def _call_again(self, wait: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(wait, self._give)

    def _trim(self, now: float) -> None:
        while self._taken and self._taken[0] < now - _WINDOW:
            self._taken.popleft()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _too_far(seconds: float) -> RateLimited:
    return RateLimited("the cloud asked for a pause", status=429, retry_after=seconds)
