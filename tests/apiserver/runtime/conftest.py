"""Controllers run in asyncio's debug mode here: a callback that blocks the loop fails the test."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

#: Seconds. Far above what a reconcile needs, and above what a busy machine adds.
SLOW_CALLBACK = 0.5


@pytest.fixture(autouse=True)
async def _no_blocking_calls(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    before = loop.get_debug(), loop.slow_callback_duration
    loop.set_debug(True)
    loop.slow_callback_duration = SLOW_CALLBACK
    caplog.set_level(logging.WARNING, logger="asyncio")
    yield
    loop.set_debug(before[0])
    loop.slow_callback_duration = before[1]
    slow = [r.getMessage() for r in caplog.get_records("call") if r.name == "asyncio"]
    blocking = [message for message in slow if message.startswith("Executing")]
    assert not blocking, blocking
