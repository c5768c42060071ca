"""Which node goes next, and which may go: pure decisions."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.migration.builders import NAMESPACE, deployment

from vks.kube.objects import Condition, ObjectMeta
from vks.kube.times import rfc3339
from vks.migration.adopt.machines import HOOK
from vks.migration.convert.leaving import held, objection
from vks.migration.convert.next import SOAK, Control, Nothing, Pool, Soak, choose
from vks.migration.convert.tokens import LATE, unsigned
from vks.resources.clusterapi import Machine, MachineStatus
from vks.resources.core import ConfigMap, Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def machine(
    name: str,
    *,
    adopted: bool = True,
    pool: dict[str, Any] | None = None,
    healthy: bool = True,
    well_for: float = 3600.0,
    deleting: str | None = None,
) -> Machine:
    """A control plane's, or one of a MachineDeployment."""
    labels = {"cluster.x-k8s.io/control-plane": ""}
    if pool is not None:
        labels = pool["spec"]["template"]["metadata"]["labels"]
    since = rfc3339(NOW - timedelta(seconds=well_for))
    return Machine(
        metadata=ObjectMeta(
            name=name,
            namespace=NAMESPACE,
            labels=labels,
            annotations={HOOK: ""} if adopted else {},
            deletion_timestamp=deleting,
        ),
        status=MachineStatus(
            conditions=(
                Condition(type="Available", status="True", last_transition_time=since),
                Condition(type="EtcdMemberHealthy", status="True" if healthy else "False"),
            )
        ),
    )


POOLS = [deployment(zone="tokyo-1"), deployment(zone="tokyo-2")]
WORKERS = [machine("w1", pool=POOLS[0]), machine("w2", pool=POOLS[1])]


def test_control_planes_go_first_one_at_a_time() -> None:
    step = choose([machine("b"), machine("a"), *WORKERS], POOLS, NOW)
    assert isinstance(step, Control)
    assert step.machine.metadata.name == "a"


@pytest.mark.parametrize(("seconds", "soaks"), [(SOAK - 1, True), (SOAK + 1, False)])
def test_the_first_new_node_has_to_prove_itself(seconds: float, soaks: bool) -> None:
    canary = machine("new", adopted=False, well_for=seconds)
    step = choose([canary, machine("b"), *WORKERS], POOLS, NOW)
    assert isinstance(step, Soak) is soaks


def test_later_nodes_follow_without_a_pause() -> None:
    new = [machine(name, adopted=False, well_for=0.0) for name in ("new-1", "new-2")]
    assert isinstance(choose([*new, machine("c"), *WORKERS], POOLS, NOW), Control)


def test_pools_follow_zone_by_zone_and_then_nothing() -> None:
    planes = [machine(f"new-{n}", adopted=False) for n in range(3)]
    step = choose([*planes, *WORKERS], POOLS, NOW)
    assert isinstance(step, Pool)
    assert step.deployment is POOLS[0]
    step = choose([*planes, WORKERS[1]], POOLS, NOW)
    assert isinstance(step, Pool)
    assert step.deployment is POOLS[1]
    assert isinstance(choose(planes, POOLS, NOW), Nothing)


def test_only_what_is_being_deleted_is_let_go_and_the_longest_waiting_first() -> None:
    later = machine("a", deleting="2026-01-01T00:00:05Z")
    sooner = machine("b", deleting="2026-01-01T00:00:01Z")
    released = machine("c", adopted=False, deleting="2026-01-01T00:00:00Z")
    found = held([machine("d"), later, released, sooner])
    assert [m.metadata.name for m in found] == ["b", "a"]


def planes(healthy: int, *, of: int) -> list[Machine]:
    """Besides the one that is to go."""
    return [machine(f"p{n}", adopted=False, healthy=n < healthy) for n in range(of)]


@pytest.mark.parametrize(
    ("healthy", "others", "stays"),
    [(3, 3, False), (2, 3, False), (1, 3, True), (1, 2, True), (2, 2, False), (1, 1, False)],
)
def test_a_control_plane_goes_only_while_etcd_keeps_its_quorum(
    healthy: int, others: int, stays: bool
) -> None:
    leaving = machine("x", deleting="2026-01-01T00:00:00Z")
    assert bool(objection(leaving, [leaving, *planes(healthy, of=others)])) is stays


def test_control_planes_go_one_after_the_other() -> None:
    leaving = machine("x", deleting="2026-01-01T00:00:00Z")
    gone_on = machine("y", adopted=False, deleting="2026-01-01T00:00:00Z")
    assert "y goes first" in objection(leaving, [leaving, gone_on, *planes(3, of=3)])


def test_workers_may_always_go() -> None:
    leaving = machine("w", pool=POOLS[0], deleting="2026-01-01T00:00:00Z")
    assert objection(leaving, [leaving]) == ""


def token(name: str, *, age: float, touched: float | None = None) -> Secret:
    annotations = {}
    if touched is not None:
        annotations = {"vks.verda/touched": rfc3339(NOW - timedelta(seconds=touched))}
    return Secret(
        metadata=ObjectMeta(
            name=f"bootstrap-token-{name}",
            creation_timestamp=rfc3339(NOW - timedelta(seconds=age)),
            annotations=annotations,
        ),
        type="bootstrap.kubernetes.io/token",
        data={"token-id": base64.b64encode(name.encode()).decode()},
    )


def test_a_token_whose_signature_is_late_is_touched_now_and_then() -> None:
    info = ConfigMap(data={"jws-kubeconfig-signed": "…"})
    tokens = [
        token("signed", age=LATE + 1),
        token("young", age=LATE - 1),
        token("late", age=LATE + 1),
        token("again", age=4 * LATE, touched=LATE + 1),
        token("wait", age=4 * LATE, touched=LATE - 1),
    ]
    found = [secret.metadata.name for secret in unsigned(tokens, info, NOW)]
    assert found == ["bootstrap-token-late", "bootstrap-token-again"]


def test_without_cluster_info_no_token_is_signed() -> None:
    assert len(unsigned([token("a", age=LATE + 1)], None, NOW)) == 1
