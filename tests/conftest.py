"""For all tests: nothing fails because the machine is busy, and what may run side by side."""

from __future__ import annotations

import pytest
from hypothesis import settings
from tests.support.lanes import Lanes
from xdist.remote import Producer

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    return Lanes(config, log)
