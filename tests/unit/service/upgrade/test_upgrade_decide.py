"""The order of an upgrade, told from objects alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from tests.unit.legacy.builders import cluster as legacy_cluster
from tests.unit.service.builders import managed_cluster, node_pool

from vks.kube.objects import Condition, ObjectMeta
from vks.resources.clusterapi import (
    KubeadmControlPlane,
    KubeadmControlPlaneSpec,
    KubeadmControlPlaneStatus,
    Machine,
    MachineSpec,
)
from vks.resources.managedcluster import UpgradeSpec
from vks.resources.nodepool import UPGRADED_FROM_ANNOTATION, NodePool, NodePoolStatus
from vks.service.managedcluster.observe import Observed
from vks.service.names import POOL_LABEL
from vks.service.upgrade.decide import (
    MovePool,
    RestoreControlPlane,
    decide,
    pauses_control_plane,
    pauses_pool,
)
from vks.service.versions import why_not

replace = msgspec.structs.replace
OLD, NEW = "v1.35.4", "v1.36.3"
ORIGIN = '{"version":"v1.35.4","image":"img-35"}'


def control_plane(up_to_date: int = 3) -> KubeadmControlPlane:
    return KubeadmControlPlane(
        spec=KubeadmControlPlaneSpec(replicas=3, version=NEW),
        status=KubeadmControlPlaneStatus(
            replicas=3, ready_replicas=3, up_to_date_replicas=up_to_date
        ),
    )


def pool(name: str, version: str | None, *, ready: bool = True, moved: bool = False) -> NodePool:
    made = node_pool(name, version=version, image="img-35" if version == OLD else "img-36")
    annotations = {UPGRADED_FROM_ANNOTATION: ORIGIN} if moved else {}
    condition = Condition(type="Ready", status=str(ready), observed_generation=1)
    return replace(
        made,
        metadata=replace(made.metadata, annotations=annotations),
        status=NodePoolStatus(observed_generation=1, conditions=(condition,)),
    )


def worker(pool_name: str, version: str) -> Machine:
    meta = ObjectMeta(name=f"demo-{pool_name}-x", labels={POOL_LABEL: pool_name})
    return Machine(metadata=meta, spec=MachineSpec(version=version))


def plane_machine(version: str, *, deleting: bool = False) -> Machine:
    meta = ObjectMeta(
        name="demo-cp-x",
        labels={"cluster.x-k8s.io/control-plane": ""},
        deletion_timestamp="2026-11-25T12:00:00Z" if deleting else None,
    )
    return Machine(metadata=meta, spec=MachineSpec(version=version))


def seen(
    *pools: NodePool,
    state: Any = "Running",
    up_to_date: int = 3,
    machines: tuple[Machine, ...] = (),
) -> Observed:
    upgrade = UpgradeSpec(
        version=NEW, image="img-36", from_version=OLD, from_image="img-35", state=state
    )
    return Observed(
        cluster=managed_cluster(version=NEW, upgrade=upgrade),
        control_plane=control_plane(up_to_date),
        pools=pools,
        machines=machines,
    )


def test_pools_wait_for_the_control_plane() -> None:
    assert decide(seen(pool("a", OLD), up_to_date=2)) is None
    move = decide(seen(pool("a", OLD)))
    assert isinstance(move, MovePool)
    assert (move.pool.spec.pool_name, move.version, move.image) == ("a", NEW, "img-36")


def test_pools_go_one_after_the_other() -> None:
    rolling = pool("a", NEW, ready=False, moved=True)
    assert decide(seen(rolling, pool("b", OLD))) is None
    stale = seen(pool("a", NEW, moved=True), pool("b", OLD), machines=(worker("a", OLD),))
    assert decide(stale) is None, "ready, but one of its machines is still the old one"
    move = decide(seen(pool("a", NEW, moved=True), pool("b", OLD), machines=(worker("a", NEW),)))
    assert isinstance(move, MovePool)
    assert move.pool.spec.pool_name == "b"


def test_a_pool_whose_version_is_not_written_down_is_left_alone() -> None:
    assert decide(seen(pool("a", None))) is None


def test_a_finished_upgrade_has_nothing_to_do() -> None:
    assert decide(seen(pool("a", NEW), pool("b", NEW))) is None


def test_paused_nothing_further_begins() -> None:
    assert decide(seen(pool("a", OLD), state="Paused")) is None
    assert pauses_control_plane(seen(state="Paused", up_to_date=1))
    cluster = seen(state="Paused").cluster
    assert cluster is not None
    assert pauses_pool(cluster, pool("a", NEW, ready=False, moved=True))
    assert not pauses_pool(cluster, pool("a", OLD))


def test_a_pause_lets_a_machine_that_is_on_its_way_out_go() -> None:
    """Its deletion waits for the control plane provider, who would stand still; the legacy
    provisioner goes on with it."""
    leaving = (plane_machine(OLD, deleting=True),)
    paused = seen(state="Paused", up_to_date=1, machines=leaving)
    assert not pauses_control_plane(paused)
    assert pauses_control_plane(dataclasses.replace(paused, legacy=legacy_cluster()))


def test_aborted_before_the_first_machine_the_request_is_taken_back() -> None:
    old = (plane_machine(OLD),)
    action = decide(seen(pool("a", OLD), state="Aborted", up_to_date=0, machines=old))
    assert isinstance(action, RestoreControlPlane)
    assert (action.version, action.image) == (OLD, "img-35")


def test_aborted_a_control_plane_that_has_begun_is_finished_and_pools_stay() -> None:
    begun = (plane_machine(OLD), plane_machine(NEW))
    assert decide(seen(pool("a", OLD), state="Aborted", up_to_date=1, machines=begun)) is None


def test_aborted_a_pool_that_has_begun_goes_back() -> None:
    begun = (plane_machine(NEW), worker("b", OLD))
    pools = (pool("a", NEW, moved=True), pool("b", NEW, moved=True, ready=False))
    move = decide(seen(*pools, state="Aborted", machines=begun))
    assert isinstance(move, MovePool)
    assert (move.pool.spec.pool_name, move.version, move.image) == ("b", OLD, "img-35")


@pytest.mark.parametrize(
    ("current", "target", "says"),
    [
        (OLD, NEW, ""),
        ("v1.36.2", NEW, ""),
        (NEW, NEW, "already"),
        (NEW, OLD, "does not go back"),
        ("v1.34.9", NEW, "skips a minor"),
        ("v1.36.10", NEW, "does not go back"),
    ],
)
def test_a_control_plane_goes_up_by_one_minor_at_most(current: str, target: str, says: str) -> None:
    answer = why_not(current, target)
    assert (says in answer) if says else answer == ""
