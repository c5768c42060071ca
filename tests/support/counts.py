"""What clients count of their requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp

#: Seconds before a request that failed is repeated.
RETRY_AFTER = 0.2


class RefusedError(Exception):
    """An answer that is none."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status


@dataclass
class Count:
    """`raw` requests failed; `after_retry` of them failed again when repeated."""

    requests: int = 0
    raw: int = 0
    after_retry: int = 0
    slowest_ms: float = 0.0
    longest_gap_ms: float = 0.0  # between two answers, or since the last one
    errors: list[str] = field(default_factory=list)
    _answered: float = field(default_factory=time.monotonic, repr=False)

    def answered(self) -> None:
        now = time.monotonic()
        self.longest_gap_ms = max(self.longest_gap_ms, round((now - self._answered) * 1000, 1))
        self._answered = now

    def report(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}

    async def attempt(self, send: Callable[[], Awaitable[None]]) -> None:
        self.requests += 1
        began = time.monotonic()
        for repeated in (False, True):
            try:
                await send()
            except (aiohttp.ClientError, TimeoutError, RefusedError, OSError) as error:
                if repeated:
                    self.after_retry += 1
                else:
                    self.raw += 1
                moment = time.strftime("%H:%M:%S")
                self.errors.append(f"{moment} {'again: ' if repeated else ''}{error!r}"[:300])
                await asyncio.sleep(RETRY_AFTER)
            else:
                self.answered()
                break
        self.slowest_ms = max(self.slowest_ms, round((time.monotonic() - began) * 1000, 1))
