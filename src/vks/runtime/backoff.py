"""Jittered exponential back-off."""

from __future__ import annotations

from random import Random


class Backoff:
    """Delays that double from `base` up to `limit` seconds, each drawn from its upper half so
    that many clients of one server spread out."""

    def __init__(self, rng: Random, *, base: float, limit: float) -> None:
        self._rng = rng
        self._base = base
        self._limit = limit
        self._step = 0

    def next(self) -> float:
        """The next delay in seconds."""
        ceiling = min(self._base * 2.0 ** min(self._step, 64), self._limit)
        self._step += 1
        return ceiling * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """After a success."""
        self._step = 0
