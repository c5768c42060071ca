"""One region and one cluster, `demo`, for the stories that can share them.

The stories are told in this order: the first finds `demo` made by the newcomer's command, the last
of those that share it takes it away, so that the later ones have the machine to themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import leftovers
from tests.support.lanes import STORIES
from tests.support.localregion import LocalRegion, region_name
from tests.support.workload import Workload

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the stories, which have one region, into their order."""
    stories = [item for item in items if _is_story(item)]
    stories.sort(key=lambda item: STORIES.index(item.path.stem))
    items[:] = [item for item in items if not _is_story(item)] + stories
    for item in stories:
        item.add_marker(pytest.mark.timeout(900))
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="servers need root"))


def _is_story(item: pytest.Item) -> bool:
    return item.path.parent == _HERE and item.path.stem in STORIES


@pytest.fixture(scope="session")
def region() -> Iterator[LocalRegion]:
    """A region that is up. What a killed run left of it goes first, and nothing is left of it."""
    region = LocalRegion(region_name("e2e"))
    region.purge()
    region.up()
    yield region
    region.purge()
    assert leftovers.of_region(region.name) == []


@pytest.fixture(scope="session")
def demo(region: LocalRegion, tmp_path_factory: pytest.TempPathFactory) -> Workload:
    """Three control planes and three workers, one of each in every zone."""
    region.vks("demo", "--name", region.name)
    return Workload(region, "demo", tmp_path_factory.mktemp("demo"))
