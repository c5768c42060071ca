"""A legacy cluster on real servers becomes one of Cluster API's, while it is used, while everybody
who has a hand in it is killed again and again, and while a node dies in each phase. From every
phase that there is a way back from it is taken back before, as unnoticed.

It has a region of its own: elsewhere the legacy provisioner does not run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.localregion import until
from tests.support.migration import (
    CLUSTER_API,
    CONTROLLERS,
    LEGACY_NODES,
    PATIENCE,
    Story,
    legacy_cluster,
    outlived,
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


@contextmanager
def nobody_notices(old: Story, record: Record, *, every: float) -> Iterator[None]:
    """What the block does, while another controller is killed after that many seconds; addresses,
    and what was issued, encrypted and written before, stay what they were."""
    slots, objects = old.slots("edge"), old.untouched()
    with old.killing(*CONTROLLERS, every=every), old.probed(api_hz=20.0) as counts:
        yield
    record("killed", ", ".join(old.killed))
    unnoticed(counts, record)
    assert old.slots("edge").keys() == slots.keys()
    assert old.untouched() == objects
    old.keeps()


def test_preparing_goes_unnoticed_by_those_who_repeat_a_failed_request(
    old: Story, record_property: Record
) -> None:
    servers, before = old.servers(), old.server
    old.plan()

    with old.killing(*CONTROLLERS, every=8.0), old.used() as counts:
        old.start("Prepared")
        old.reached("Prepared")
        until(lambda: old.server, lambda sent_to: sent_to != before, within=60.0)

    unnoticed(counts, record_property)
    record_property("Prepare.seconds", old.durations()["Prepare"])
    assert old.servers() == servers
    old.keeps()


def test_a_prepared_cluster_looks_like_one_of_kubeadms(old: Story) -> None:
    old.looks_like_kubeadms()


def test_a_stopped_component_shows_in_the_pod_that_stands_for_it(old: Story) -> None:
    plane = min(old.planes())
    pod = ("pod", f"kube-scheduler-{plane}", "-n=kube-system")
    old.on_server(plane, "systemctl", "stop", "legacy-kube-scheduler")
    old.kubectl("wait", *pod, "--for=condition=Ready=false", "--timeout=60s")
    old.kubectl("wait", *pod, "--for=condition=Ready", "--timeout=120s")  # its agent starts it


def test_what_was_prepared_is_taken_back_unnoticed(old: Story, record_property: Record) -> None:
    servers = old.servers()
    with old.killing(*CONTROLLERS, every=8.0), old.used() as counts:
        old.go_back()
        assert old.reached("RolledBack")["phases"] == []

    unnoticed(counts, record_property)
    assert old.servers() == servers
    assert old.etcd_members() == {f"etcd-{name}" for name in old.planes()}
    names = old.kubectl("get", "configmaps", "-A", "-o=name")
    assert "kubeadm-config" not in names
    assert "cluster-info" not in names
    assert old.objects("pods", "-n=kube-system", "-l=tier=control-plane") == []


def test_a_control_plane_that_dies_while_another_is_prepared_is_built_anew(
    old: Story, record_property: Record
) -> None:
    old.plan()  # nothing hinders another attempt
    with outlived(old, "Prepared", old.lose_a_control_plane, record_property):
        old.doing("restarts its API server")
    old.looks_like_kubeadms()


def test_adopting_replaces_no_node_and_goes_unnoticed(old: Story, record_property: Record) -> None:
    servers, slots, members = old.servers(), old.slots("edge"), old.etcd_members()
    old.save_kubeconfig()

    with nobody_notices(old, record_property, every=2.0):
        old.start("Adopted")
        old.reached("Adopted")

    assert old.servers() == servers
    assert old.machine_names() == servers.keys()
    assert old.etcd_members() == members
    assert old.slots("edge") == slots


def test_giving_an_adopted_cluster_back_deletes_no_server(
    old: Story, record_property: Record
) -> None:
    servers, slots, members = old.servers(), old.slots("edge"), old.etcd_members()

    with nobody_notices(old, record_property, every=2.0):
        old.go_back("Prepared")
        old.reached("Prepared")

    assert old.servers() == servers
    assert old.management(*CLUSTER_API) == []
    assert old.etcd_members() == members
    assert old.slots("edge") == slots


def test_what_convert_has_replaced_is_built_anew(old: Story, record_property: Record) -> None:
    """A control plane, and a worker with an address of its own that Cluster API was told to
    replace; whatever they had begun with is brought to an end first."""
    old.start("Adopted")
    old.reached("Adopted")
    before = old.servers()
    worker = min(name for name in before if name.startswith("old-edge-"))

    with nobody_notices(old, record_property, every=10.0):
        old.start("Converted")
        old.doing("Replacing")
        old.delete_machine(worker)
        replaced = until(old.given_up, lambda found: len(found) == 2, PATIENCE)
        old.go_back("Prepared")
        old.reached("Prepared")

    assert worker in replaced
    after = old.servers()
    assert len(after) == len(before)
    assert before.keys() - after.keys() == replaced
    assert {name: after[name] for name in before.keys() - replaced}.items() <= before.items()
    assert old.running_servers() == len(after), "every server that is gone is gone"
    assert old.management(*CLUSTER_API) == []
    assert {node["metadata"]["name"] for node in old.objects("nodes")} == after.keys()
    old.looks_like_kubeadms()


def test_a_worker_that_dies_while_the_cluster_is_adopted_is_replaced(
    old: Story, record_property: Record
) -> None:
    with outlived(old, "Adopted", old.lose_a_worker, record_property):
        pass


def test_converting_goes_unnoticed_although_controllers_are_killed_and_a_node_dies(
    old: Story, record_property: Record
) -> None:
    """All nodes are others afterwards."""
    servers, slots = old.servers(), old.slots("edge")

    with nobody_notices(old, record_property, every=15.0):
        old.start("Converted")
        old.doing("Replaced")
        lost = old.lose_a_worker()
        old.reached("Converted")
    record_property("lost", lost)

    after = old.servers()
    assert len(after) == len(servers)
    assert not {*servers.values()} & {*after.values()}
    assert old.running_servers() == len(after), "every server that is gone is gone"
    assert not {*old.slots("edge").values()} & {*slots.values()}
    assert old.management(LEGACY_NODES) == []


def test_after_finalizing_nothing_is_left_of_the_legacy_provisioner_although_a_node_dies(
    old: Story, record_property: Record
) -> None:
    before = old.servers()
    with nobody_notices(old, record_property, every=4.0):
        old.finalize()
        lost = old.lose_a_worker()
        old.reached("Finalized")
        until(old.whole, bool, PATIENCE)
    record_property("lost", lost)
    for phase, seconds in old.durations().items():
        record_property(f"{phase}.seconds", seconds)
    others = {*old.servers().values()} - {*before.values()}
    assert len(others) == 2, "one as the proof, one for the node that died"
    assert old.management("legacyclusters.legacy.vks.verda") == []
    names = {secret["metadata"]["name"] for secret in old.management("secrets")}
    assert "old-ca" in names
    assert "old-legacy-keys" not in names


def test_nothing_is_left_of_it_when_it_is_deleted(old: Story) -> None:
    old.vks("cluster", "delete", "old", "--yes")
    assert old.management(*CLUSTER_API) == []
    assert old.running_servers() == 0
