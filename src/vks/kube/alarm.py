"""A time limit that is set all the time and hardly ever reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `ring` once a limit is over that was not cleared before.

    A timer costs as much as encoding a small request, so one that was armed for an earlier limit
    stays, and looks when it fires at what is due by then: of many limits of the same length it
    takes one timer in that length.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    def set(self, seconds: float) -> None:
        """Rings in `seconds`, instead of when it was to ring before."""
        self._due = due = self._loop.time() + seconds
        if self._timer is None:
            self._arm(due)
        elif self._timer_due > due:
            self._timer.cancel()
            self._arm(due)

    def clear(self) -> None:
        """Does not ring until it is set again."""
        self._due = None

    def close(self) -> None:
        """Gives up the timer, too: for the end of whoever is to hear of it."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, due: float) -> None:
        self._timer_due = due
        self._timer = self._loop.call_at(due, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._timer_due < self._due:
            self._arm(self._due)
        else:
            self._due = None
            self._ring()
