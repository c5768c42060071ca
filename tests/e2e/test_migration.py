"""A legacy cluster on its way to Cluster API, and back, while it is used.

What is killed is the controller that moves it, and the hub that does the work on the nodes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.migration import Story, legacy_cluster

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("migration", tmp_path_factory.mktemp("migration")) as story:
        yield story


def test_preparing_goes_unnoticed_by_those_who_repeat_a_failed_request(
    old: Story, record_property: Callable[[str, Any], None]
) -> None:
    old.prepare_unnoticed(record_property)


def test_a_prepared_cluster_looks_like_one_of_kubeadms(old: Story) -> None:
    old.looks_like_kubeadms()


def test_a_stopped_component_shows_in_the_pod_that_stands_for_it(old: Story) -> None:
    old.shows_a_stopped_component()


def test_going_back_goes_unnoticed_too(
    old: Story, record_property: Callable[[str, Any], None]
) -> None:
    old.go_back_unnoticed(record_property)
