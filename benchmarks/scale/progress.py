"""What somebody sees who waits: how far an operation is, and when it may be through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

_SECONDS = 10.0


class Reached(NamedTuple):
    """`done` of `total` machines are where the operation wants them."""

    done: int
    total: int


@asynccontextmanager
async def shown(title: str, reached: Callable[[], Reached]) -> AsyncIterator[None]:
    """Prints a line every ten seconds while the block runs."""
    task = asyncio.create_task(_show(title, reached))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _show(title: str, reached: Callable[[], Reached]) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_SECONDS)
        print(line(title, reached(), time.monotonic() - began), flush=True)


def line(title: str, now: Reached, seconds: float) -> str:
    """With the time that the rest takes at the pace of so far."""
    text = f"{title}: {seconds:.0f} s"
    if not now.total:
        return text
    text = f"{text}, {now.done} of {now.total}"
    if 0 < now.done < now.total:
        text = f"{text}, {seconds / now.done * (now.total - now.done):.0f} s to go"
    return text
