"""Control planes are prepared one at a time, and nobody is sent to one that cannot answer."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from tests.unit.legacy.builders import node

from vks.kube.objects import Condition
from vks.migration.prepare.rolling import Change, Goal, Hold, decide, preparation_of
from vks.resources.legacynode import LegacyNode, NodePreparation

NAMES = ("10.60.0.9", "10.0.0.1", "10.0.0.2", "10.0.0.3")
FORWARD = Goal(replicas=3, endpoint="10.0.0.1", server_names=NAMES)
BACK = Goal(replicas=3, endpoint="10.0.0.1", back=True)


def plane(name: str, age: int, preparation: NodePreparation | None = None) -> LegacyNode:
    return after(node(name, age=age), preparation or NodePreparation())


def worker() -> LegacyNode:
    return node("w-1", "worker", age=9)


def after(found: LegacyNode, preparation: NodePreparation) -> LegacyNode:
    """The node when its agent has done what it was asked for."""
    true = tuple(
        Condition(type=t, status="True", observed_generation=2)
        for t in ("PlanApplied", "ServicesHealthy")
    )
    name = preparation.etcd_name or f"etcd-{found.metadata.name}"
    api = {"--enable-bootstrap-token-auth": "true"} if preparation.kubeadm else {}
    signing = {"--cluster-signing-cert-file": "/ca"} if preparation.kubeadm else {}
    running = {"kube-apiserver": api, "kube-controller-manager": signing, "etcd": {"--name": name}}
    return msgspec.structs.replace(
        found,
        metadata=msgspec.structs.replace(found.metadata, generation=2),
        spec=msgspec.structs.replace(found.spec, preparation=preparation),
        status=msgspec.structs.replace(found.status, conditions=true, running=running),
    )


def used(nodes: list[LegacyNode]) -> list[LegacyNode]:
    """All nodes use whoever is not drained."""
    servers = tuple(
        f"{n.status.address}:6443"
        for n in nodes
        if n.is_control_plane and not preparation_of(n).drained
    )
    return [
        msgspec.structs.replace(n, status=msgspec.structs.replace(n.status, api_servers=servers))
        for n in nodes
    ]


def cluster() -> list[LegacyNode]:
    return used([plane("a", 0), plane("b", 1), plane("c", 2), worker()])


def walk(
    nodes: list[LegacyNode], goal: Goal, look: Callable[[list[LegacyNode]], None]
) -> list[LegacyNode]:
    """To the end, with everybody doing what is asked."""
    for _ in range(40):
        change = decide(nodes, goal)
        if change is None:
            return nodes
        assert isinstance(change, Change), change
        nodes = used([after(n, change.preparation) if n is change.node else n for n in nodes])
        look(nodes)
    raise AssertionError("it does not end")


def drained(nodes: list[LegacyNode]) -> list[str]:
    return [n.metadata.name for n in nodes if preparation_of(n).drained]


def test_every_control_plane_ends_as_kubeadm_wants_it_one_after_another() -> None:
    order: list[str] = []

    def look(nodes: list[LegacyNode]) -> None:
        assert len(drained(nodes)) <= 1
        order.extend(name for name in drained(nodes) if name not in order)

    for found in walk(cluster(), FORWARD, look)[:3]:
        assert found.spec.preparation == NodePreparation(
            etcd_name=found.metadata.name, server_names=NAMES, kubeadm=True
        )
    assert order == ["b", "c", "a"], "the one that users know comes last"


def test_api_server_and_etcd_of_a_node_never_restart_at_the_same_time_or_while_in_use() -> None:
    before: dict[str, NodePreparation] = {}

    def look(nodes: list[LegacyNode]) -> None:
        for found in nodes[:3]:
            have, name = preparation_of(found), found.metadata.name
            old = before.get(name, NodePreparation())
            services = have.kubeadm != old.kubeadm
            renamed = have.etcd_name != old.etcd_name
            assert not (services and renamed)
            assert not (services or renamed) or (old.drained and have.drained)
            before[name] = have

    prepared = walk(cluster(), FORWARD, look)
    walk(prepared, BACK, look)


def test_whoever_knows_the_published_address_is_answered_by_a_node_that_can() -> None:
    detours: dict[str, str | None] = {}

    def look(nodes: list[LegacyNode]) -> None:
        for found in nodes[:3]:
            if preparation_of(found).drained:
                detours[found.metadata.name] = preparation_of(found).detour

    prepared = walk(cluster(), FORWARD, look)
    assert detours["a"] == "10.0.0.2"
    assert detours["b"] is None, "nobody can answer for it yet"
    walk(prepared, BACK, look)
    assert all(detours.values()), "on the way back everybody's certificate knows everybody"


def test_the_way_back_leaves_the_names_in_the_certificates_alone() -> None:
    prepared = walk(cluster(), FORWARD, lambda nodes: None)
    for found in walk(prepared, BACK, lambda nodes: None)[:3]:
        assert found.spec.preparation == NodePreparation(server_names=NAMES)
    assert decide(cluster(), BACK) is None


def test_back_from_the_middle_begins_with_the_one_that_was_begun() -> None:
    middle = NodePreparation(server_names=NAMES, kubeadm=True, drained=True)
    nodes = used([plane("a", 0), plane("b", 1, middle), plane("c", 2), worker()])
    sick = msgspec.structs.replace(
        nodes[1], status=msgspec.structs.replace(nodes[1].status, running={})
    )
    change = decide([nodes[0], sick, *nodes[2:]], BACK)
    assert isinstance(change, Change)
    assert (change.node.metadata.name, change.preparation.kubeadm) == ("b", False)


@pytest.mark.parametrize("goal", [FORWARD, BACK])
def test_nothing_is_touched_while_another_control_plane_is_unwell_or_missing(goal: Goal) -> None:
    prepared = NodePreparation(etcd_name="c", server_names=NAMES, kubeadm=True)
    nodes = used([plane("a", 0), plane("b", 1), plane("c", 2, prepared), worker()])
    sick = msgspec.structs.replace(
        nodes[0], status=msgspec.structs.replace(nodes[0].status, conditions=())
    )
    assert isinstance(decide([sick, *nodes[1:]], goal), Hold)
    assert isinstance(decide(nodes[1:], goal), Hold)


def test_an_api_server_in_use_is_not_restarted() -> None:
    drained_ = NodePreparation(drained=True)
    nodes = [plane("a", 0), plane("b", 1, drained_), plane("c", 2), worker()]
    still = msgspec.structs.replace(
        nodes[3], status=msgspec.structs.replace(nodes[3].status, api_servers=("10.0.0.2:6443",))
    )
    held = decide([*nodes[:3], still], FORWARD)
    assert held == Hold("ApiServerDrains", "still used by w-1")
