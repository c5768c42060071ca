"""A process that dies: after a given number of changes, without seeing the last one's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


class Life:
    """One process's life: its `limit`th performed change is its last act."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self.over = asyncio.Event()

    async def perform(
        self, call: Callable[[], Awaitable[Any]], changed: Callable[[Any], bool]
    ) -> Any:
        """Makes the call; `changed` tells from the answer whether it was a change."""
        if self.over.is_set():
            await asyncio.Event().wait()
        answer = await call()
        if changed(answer):
            self._left -= 1
            if self._left <= 0:
                self.over.set()
        if self.over.is_set():  # the answer reaches nobody
            await asyncio.Event().wait()
        return answer
