"""A control plane that dies while another joins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from vks.kube.objects import Condition, ObjectMeta
from vks.kube.times import rfc3339
from vks.migration.convert.deadlock import GONE, dead_in_the_way
from vks.resources.clusterapi import Machine, MachineStatus, NodeReference

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def plane(name: str, *, joined: bool = True, gone: float = 0.0, deleting: bool = False) -> Machine:
    """`gone`: for so many seconds its server has been."""
    since = rfc3339(NOW - timedelta(seconds=gone))
    server = Condition(type="ServerHealthy", status="False", last_transition_time=since)
    member = Condition(type="EtcdMemberHealthy", status="True")  # as it was when it was last asked
    return Machine(
        metadata=ObjectMeta(
            name=name,
            labels={"cluster.x-k8s.io/control-plane": ""},
            deletion_timestamp=rfc3339(NOW) if deleting else None,
        ),
        status=MachineStatus(
            node_ref=NodeReference(name=name) if joined else None,
            conditions=(member, server) if gone else (member,),
        ),
    )


NEWCOMER = plane("new", joined=False)
WELL = [plane("a"), plane("b")]


def name(*machines: Machine) -> str | None:
    found = dead_in_the_way(machines, NOW)
    return found.metadata.name if found is not None else None


def test_the_dead_one_goes_when_another_joins() -> None:
    assert name(*WELL, plane("c", gone=GONE + 1), NEWCOMER) == "c"
    assert name(*WELL, plane("c", gone=GONE - 1), NEWCOMER) is None, "it may be rebooting"
    assert name(*WELL, plane("c", gone=GONE + 1)) is None, "its provider replaces it"
    assert name(*WELL, plane("c", gone=GONE + 1, deleting=True), NEWCOMER) is None


def test_nothing_goes_that_etcd_could_not_take_out() -> None:
    dead = [plane("b", gone=GONE + 1), plane("c", gone=GONE + 1)]
    assert name(plane("a"), *dead, NEWCOMER) is None
    assert name(plane("a"), dead[0], NEWCOMER) is None


def test_workers_do_not_matter() -> None:
    worker = Machine(metadata=ObjectMeta(name="w"))
    assert name(*WELL, plane("c", gone=GONE + 1), worker) is None
