"""Time as the runtime sees it. Waiting is always asyncio's, so that tests can make it virtual."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where controllers get the time from."""

    def monotonic(self) -> float:
        """Seconds that only ever grow; for intervals and deadlines."""
        ...

    def now(self) -> datetime:
        """Wall-clock time with a time zone; for timestamps in objects only."""
        ...


class SystemClock:
    """The event loop's clock and the machine's."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return datetime.now(UTC)
