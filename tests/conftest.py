"""For all tests: nothing fails because the machine is busy, and what may run side by side."""

from __future__ import annotations

import pytest
from hypothesis import settings
from tests.support.lanes import Lanes, rank
from xdist.remote import Producer

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    return Lanes(config, log)
