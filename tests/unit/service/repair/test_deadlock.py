"""A control plane whose server dies while another joins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.service.builders import managed_cluster

from vks.kube.objects import Condition, ObjectMeta
from vks.kube.times import rfc3339
from vks.resources.clusterapi import (
    Cluster,
    ClusterSpec,
    KubeadmControlPlane,
    Machine,
    MachineStatus,
    NodeReference,
)
from vks.service.managedcluster.observe import Observed
from vks.service.repair.deadlock import CONDEMNED, stuck

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def plane(
    name: str,
    *,
    joined: bool = True,
    condemned: float | None = None,
    deleting: bool = False,
    server: str = "False",
    kept: str = "",
) -> Machine:
    """`condemned`: for so many seconds its health check has failed; then `server` is whether its
    server is well, and `kept` why its provider keeps it."""
    since = rfc3339(NOW - timedelta(seconds=condemned or 0.0))
    check = Condition(type="HealthCheckSucceeded", status="False", last_transition_time=since)
    health = Condition(type="ServerHealthy", status=server)
    owner = Condition(type="OwnerRemediated", status="False", reason=kept)
    conditions = (check, health, owner) if kept else (check, health)
    return Machine(
        metadata=ObjectMeta(
            name=name,
            labels={"cluster.x-k8s.io/control-plane": ""},
            deletion_timestamp=rfc3339(NOW) if deleting else None,
        ),
        status=MachineStatus(
            node_ref=NodeReference(name=name) if joined else None,
            conditions=() if condemned is None else conditions,
        ),
    )


NEWCOMER = plane("new", joined=False)
WELL = [plane("a"), plane("b")]
LATE = CONDEMNED + 1


def due(
    *machines: Machine, annotations: dict[str, str] | None = None, paused: bool = False
) -> tuple[str, str, float] | None:
    """Who goes, because of whom, in how many seconds."""
    found = stuck(
        Observed(
            cluster=managed_cluster(),
            capi=Cluster(spec=ClusterSpec(paused=paused)),
            control_plane=KubeadmControlPlane(metadata=ObjectMeta(annotations=annotations or {})),
            machines=machines,
        ),
        NOW,
    )
    if found is None:
        return None
    return found.newcomer.metadata.name, found.dead.metadata.name, found.due


def test_the_newcomer_goes_that_cannot_join_beside_a_dead_one() -> None:
    assert due(*WELL, plane("c", condemned=LATE), NEWCOMER) == ("new", "c", -1.0)
    early = plane("c", condemned=CONDEMNED - 4)
    assert due(*WELL, early, NEWCOMER) == ("new", "c", 4.0)


def test_without_a_newcomer_its_provider_replaces_the_dead_one() -> None:
    assert due(*WELL, plane("c", condemned=LATE)) is None


def test_while_one_goes_the_next_step_is_its_providers() -> None:
    dead = plane("c", condemned=LATE)
    assert due(*WELL, dead, plane("new", joined=False, deleting=True)) is None
    assert due(plane("a"), plane("b", deleting=True), dead, NEWCOMER) is None


def test_nobody_goes_for_one_that_its_provider_would_not_replace() -> None:
    kept = plane("c", condemned=LATE, kept="CannotBeRemediated")
    assert due(*WELL, kept, NEWCOMER) is None
    waits = plane("c", condemned=LATE, kept="RemediationDeferred")
    assert due(*WELL, waits, NEWCOMER) is not None


def test_a_member_that_may_answer_is_in_nobodys_way() -> None:
    for known in ("True", "Unknown"):
        silent = plane("c", condemned=LATE, server=known)
        assert due(*WELL, silent, NEWCOMER) is None


@pytest.mark.parametrize(
    "hold", [{"paused": True}, {"annotations": {"cluster.x-k8s.io/paused": ""}}]
)
def test_what_is_paused_is_left_alone(hold: dict[str, object]) -> None:
    assert due(*WELL, plane("c", condemned=LATE), NEWCOMER, **hold) is None  # type: ignore[arg-type]


def test_workers_do_not_matter() -> None:
    worker = Machine(metadata=ObjectMeta(name="w"))
    assert due(*WELL, plane("c", condemned=LATE), worker) is None
