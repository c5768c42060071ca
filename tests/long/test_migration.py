"""A legacy cluster on real servers becomes one of Cluster API's, while it is used."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.migration import CLUSTER_API, CONTROLLERS, Story, legacy_cluster, unnoticed

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("whole-migration", tmp_path_factory.mktemp("migration")) as story:
        yield story


def test_preparing_goes_unnoticed_by_those_who_repeat_a_failed_request(
    old: Story, record_property: Any
) -> None:
    old.prepare_unnoticed(record_property)


def test_a_prepared_cluster_looks_like_one_of_kubeadms(old: Story) -> None:
    old.looks_like_kubeadms()


def test_a_stopped_component_shows_in_the_pod_that_stands_for_it(old: Story) -> None:
    old.shows_a_stopped_component()


def test_adopting_replaces_no_node_and_goes_unnoticed(old: Story, record_property: Any) -> None:
    servers = old.servers()
    old.save_kubeconfig()
    members = old.etcd_members()

    began = time.monotonic()
    with old.probed(api_hz=20.0) as counts:
        old.vks("migration", "start", "old", "--until", "Adopted", "--no-wait")
        old.reached("Adopted")
        time.sleep(10)  # whoever wants to replace something has the time
    record_property("seconds", round(time.monotonic() - began))

    unnoticed(counts, record_property)
    assert old.servers() == servers
    assert old.machine_names() == servers.keys()
    assert old.etcd_members() == members


def test_converting_goes_unnoticed_although_its_controllers_are_killed(
    old: Story, record_property: Any
) -> None:
    """All nodes are others afterwards; what was issued, encrypted and written before is good."""
    before = old.servers()
    token = old.kubectl("create", "token", "default", "--duration=2h").strip()
    uid = old.kubectl("get", "namespace", "default", "-o=jsonpath={.metadata.uid}")

    began = time.monotonic()
    with old.probed(api_hz=20.0) as counts, old.killing(*CONTROLLERS):
        old.vks("migration", "start", "old", "--until", "Converted", "--no-wait")
        old.reached("Converted")
    record_property("seconds", round(time.monotonic() - began))
    record_property("killed", ", ".join(old.killed))

    unnoticed(counts, record_property)
    after = old.servers()
    assert len(after) == len(before)
    assert not {*before.values()} & {*after.values()}
    namespaces = list(Path("/run/netns").glob(f"vks-{old.region.name}.*"))
    assert len(namespaces) == len(after), "every server that is gone is gone"
    old.keeps(token)
    assert old.kubectl("get", "namespace", "default", "-o=jsonpath={.metadata.uid}") == uid
    assert old.management("legacynodes.legacy.vks.verda") == []


def test_after_finalizing_nothing_is_left_of_the_legacy_provisioner(
    old: Story, record_property: Any
) -> None:
    before = old.servers()
    with old.probed(api_hz=20.0) as counts:
        old.vks("migration", "finalize", "old", "--yes", "--no-wait")
        old.reached("Finalized")
    unnoticed(counts, record_property)
    assert len({*old.servers().values()} - {*before.values()}) == 1, "one as the proof"
    assert old.management("legacyclusters.legacy.vks.verda") == []
    names = {secret["metadata"]["name"] for secret in old.management("secrets")}
    assert "old-ca" in names
    assert "old-legacy-keys" not in names


def test_nothing_is_left_of_it_when_it_is_deleted(old: Story) -> None:
    old.vks("cluster", "delete", "old", "--yes")
    assert old.management(*CLUSTER_API) == []
    assert list(Path("/run/netns").glob(f"vks-{old.region.name}.*")) == []
