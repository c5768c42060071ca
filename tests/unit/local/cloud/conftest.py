"""A fresh region for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.unit.local.cloud.region import Caller, Region, run_region


@pytest.fixture
async def region() -> AsyncIterator[Region]:
    async with run_region() as running:
        yield running


@pytest.fixture
async def demo(region: Region) -> Caller:
    """A member of project `test`."""
    return await region.login("demo")
