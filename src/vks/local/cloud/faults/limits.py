"""How many calls a second the cloud takes, and how many of each kind it has had."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable


class RateLimit:
    """A token bucket of one second's worth; without a rate everything passes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rate = 0.0
        self._level = 0.0
        self._filled = clock()

    @property
    def rate(self) -> float:
        return self._rate

    def set(self, rate: float) -> None:
        """`rate` in requests per second; 0 lifts the limit."""
        self._rate = rate
        self._level = max(rate, 1.0)
        self._filled = self._clock()

    def retry_after(self) -> int | None:
        """None when the call may pass, otherwise the whole seconds to wait."""
        if self._rate <= 0:
            return None
        moment = self._clock()
        self._level = min(max(self._rate, 1.0), self._level + (moment - self._filled) * self._rate)
        self._filled = moment
        if self._level >= 1.0:
            self._level -= 1.0
            return None
        return max(1, math.ceil((1.0 - self._level) / self._rate))


class CallCounter:
    """Counts by `SERVICE METHOD ROUTE`, and by status within."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()

    def add(self, kind: str, status: int) -> None:
        self._counts[kind, status] += 1

    def clear(self) -> None:
        self._counts.clear()

    def totals(self) -> dict[str, int]:
        totals: Counter[str] = Counter()
        for (kind, _), count in self._counts.items():
            totals[kind] += count
        return dict(sorted(totals.items()))

    def statuses(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (kind, status), count in sorted(self._counts.items()):
            found.setdefault(kind, {})[str(status)] = count
        return found
