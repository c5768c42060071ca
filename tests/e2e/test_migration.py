"""A legacy cluster on real servers becomes one of Cluster API's, while it is used, while everybody
who has a hand in it is killed again and again, and while a node dies.

It has a region of its own: elsewhere the legacy provisioner does not run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.migration import (
    CLUSTER_API,
    CONTROLLERS,
    LEGACY_NODES,
    Story,
    legacy_cluster,
    unnoticed,
)

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]

Record = Callable[[str, Any], None]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("migration", tmp_path_factory.mktemp("migration")) as story:
        yield story


def test_preparing_goes_unnoticed_by_those_who_repeat_a_failed_request(
    old: Story, record_property: Record
) -> None:
    old.prepare_unnoticed(record_property)


def test_a_prepared_cluster_looks_like_one_of_kubeadms(old: Story) -> None:
    old.looks_like_kubeadms()


def test_a_stopped_component_shows_in_the_pod_that_stands_for_it(old: Story) -> None:
    old.shows_a_stopped_component()


def test_adopting_replaces_no_node_and_goes_unnoticed(old: Story, record_property: Record) -> None:
    servers, slots, members = old.servers(), old.slots("edge"), old.etcd_members()
    old.save_kubeconfig()

    with old.probed(api_hz=20.0) as counts, old.killing(*CONTROLLERS, every=4.0):
        old.vks("migration", "start", "old", "--until", "Adopted", "--no-wait")
        old.reached("Adopted")

    unnoticed(counts, record_property)
    assert old.servers() == servers
    assert old.machine_names() == servers.keys()
    assert old.etcd_members() == members
    assert old.slots("edge") == slots


def test_converting_goes_unnoticed_although_controllers_are_killed_and_a_node_dies(
    old: Story, record_property: Record
) -> None:
    """All nodes are others afterwards; addresses stay, and so does what was issued, encrypted and
    written before."""
    servers, slots, objects = old.servers(), old.slots("edge"), old.untouched()
    old.killed.clear()

    with old.probed(api_hz=20.0) as counts, old.killing(*CONTROLLERS, every=15.0):
        old.vks("migration", "start", "old", "--until", "Converted", "--no-wait")
        old.doing("Replaced")
        lost = old.lose_a_worker()
        old.reached("Converted")
    record_property("killed", ", ".join(old.killed))
    record_property("lost", lost)

    unnoticed(counts, record_property)
    assert {*CONTROLLERS} <= {*old.killed}
    after = old.servers()
    assert len(after) == len(servers)
    assert not {*servers.values()} & {*after.values()}
    namespaces = list(Path("/run/netns").glob(f"vks-{old.region.name}.*"))
    assert len(namespaces) == len(after), "every server that is gone is gone"
    assert old.slots("edge").keys() == slots.keys()
    assert not {*old.slots("edge").values()} & {*slots.values()}
    assert old.untouched() == objects
    old.keeps()
    assert old.management(LEGACY_NODES) == []


def test_after_finalizing_nothing_is_left_of_the_legacy_provisioner(
    old: Story, record_property: Record
) -> None:
    before, objects = old.servers(), old.untouched()
    with old.probed(api_hz=20.0) as counts, old.killing(*CONTROLLERS, every=10.0):
        old.vks("migration", "finalize", "old", "--yes", "--no-wait")
        old.reached("Finalized")
    unnoticed(counts, record_property)
    for phase, seconds in old.durations().items():
        record_property(f"{phase}.seconds", seconds)
    assert len({*old.servers().values()} - {*before.values()}) == 1, "one as the proof"
    assert old.untouched() == objects
    old.keeps()
    assert old.management("legacyclusters.legacy.vks.verda") == []
    names = {secret["metadata"]["name"] for secret in old.management("secrets")}
    assert "old-ca" in names
    assert "old-legacy-keys" not in names


def test_nothing_is_left_of_it_when_it_is_deleted(old: Story) -> None:
    old.vks("cluster", "delete", "old", "--yes")
    assert old.management(*CLUSTER_API) == []
    assert list(Path("/run/netns").glob(f"vks-{old.region.name}.*")) == []
