"""Virtual time: a test that waits for hours takes milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import looptime

T = TypeVar("T")


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose clock jumps to the next timer when nothing is left to do."""
    return looptime.new_event_loop()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)


async def settle() -> None:
    """Lets everything that is ready run; no time passes."""
    for _ in range(50):
        await asyncio.sleep(0)
