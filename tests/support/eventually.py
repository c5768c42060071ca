"""Waiting for what another process brings about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(holds: Callable[[], bool | Awaitable[bool]], *, within: float = 60.0) -> None:
    """Returns as soon as the condition holds. Raises AssertionError after `within` seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        result = holds()
        if isinstance(result, Awaitable):
            result = await result
        if result:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {within:g} s")
        await asyncio.sleep(0.02)
