"""A legacy cluster on its way to Cluster API is taken back, on real servers, while it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.migration import CLUSTER_API, Story, legacy_cluster, unnoticed

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("way-back", tmp_path_factory.mktemp("migration")) as story:
        yield story


def test_what_was_prepared_is_taken_back_unnoticed(old: Story, record_property: Any) -> None:
    old.vks("migration", "plan", "old")
    old.vks("migration", "start", "old", "--until", "Prepared", "--no-wait")
    old.reached("Prepared")
    old.go_back_unnoticed(record_property)


def test_giving_an_adopted_cluster_back_deletes_no_server(old: Story, record_property: Any) -> None:
    servers = old.servers()
    old.vks("migration", "start", "old", "--until", "Adopted", "--no-wait")
    old.reached("Adopted")
    assert old.machine_names() == servers.keys()
    with old.used() as counts:
        old.vks("migration", "rollback", "old", "--yes", "--no-wait")
        old.reached("RolledBack")
    unnoticed(counts, record_property)
    assert old.servers() == servers
    assert old.management(*CLUSTER_API) == []
