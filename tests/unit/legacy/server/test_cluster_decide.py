"""Which nodes come and go."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.legacy.builders import VOTER, ZONES, cluster, node, pool

from vks.legacy.server.legacycluster.decide import Change, Create, Remove, decide
from vks.legacy.server.nodes import may_lose
from vks.resources.legacycluster import LegacyCluster, LegacyGuest
from vks.resources.legacynode import LegacyNode


def planes(**more: object) -> list[LegacyNode]:
    zones = dict(zip("abc", ZONES, strict=True))
    return [node(f"cp-{n}", zone=zone, age=i, **more) for i, (n, zone) in enumerate(zones.items())]  # type: ignore[arg-type]


def shown(changes: list[Change]) -> list[str]:
    return [
        f"+{change.prefix}@{change.spec.zone}"
        if isinstance(change, Create)
        else f"-{change.node.metadata.name}:{change.reason}"
        for change in changes
    ]


def worker(name: str, zone: str = "z1", **more: object) -> LegacyNode:
    return node(name, "worker", zone=zone, **more)  # type: ignore[arg-type]


def test_a_new_cluster_gets_all_its_nodes_at_once_spread_over_zones() -> None:
    changes = decide(cluster(pool(), initialized=False), [])
    assert shown(changes) == [
        "+demo-cp@z1",
        "+demo-cp@z2",
        "+demo-cp@z3",
        "+demo-default@z1",
        "+demo-default@z2",
    ]


def test_a_settled_cluster_is_left_alone() -> None:
    nodes = [*planes(), worker("w-1", "z1"), worker("w-2", "z2")]
    assert decide(cluster(pool()), nodes) == []


def test_a_lost_worker_is_replaced_in_its_zone() -> None:
    lost = worker("w-1", "z1", conditions={"ServerReady": "ServerNotFound", "Ready": "x"})
    changes = decide(cluster(pool()), [*planes(), lost, worker("w-2", "z2")])
    assert shown(changes) == ["-w-1:ServerLost", "+demo-default@z1"]


def test_a_lost_agent_replaces_nothing() -> None:
    away = {"AgentConnected": "AgentDisconnected", "Ready": "AgentDisconnected"}
    nodes = [*planes(conditions=away), worker("w-1", conditions=away), worker("w-2", "z2")]
    assert decide(cluster(pool()), nodes) == []


def test_a_lost_control_plane_goes_before_its_successor_comes() -> None:
    nodes = planes()
    nodes[1] = node("cp-b", zone="z2", conditions={"ServerReady": "ServerNotFound", "Ready": "x",
                                                   "ServicesHealthy": "x"})  # fmt: skip
    assert shown(decide(cluster(), nodes)) == ["-cp-b:ServerLost"]
    gone = [n for n in nodes if n.metadata.name != "cp-b"]
    assert shown(decide(cluster(), gone)) == ["+demo-cp@z2"]


def test_a_second_lost_control_plane_stays_for_the_sake_of_the_quorum() -> None:
    bad = {"ServerReady": "ServerNotFound", "Ready": "x", "ServicesHealthy": "x"}
    nodes = [planes()[0], *planes(conditions=bad)[1:]]
    assert decide(cluster(), nodes) == []


def test_another_image_rolls_control_planes_one_by_one_with_a_surplus_first() -> None:
    wanted = cluster(pool(image="i2"), image="i2")
    workers = [worker("w-1", "z1"), worker("w-2", "z2")]
    assert shown(decide(wanted, [*planes(), *workers])) == ["+demo-cp@z1"]
    joining = node("cp-d", image="i2", ready=False, age=9)
    assert decide(wanted, [*planes(), joining, *workers]) == []
    joined = node("cp-d", image="i2", age=9)
    assert shown(decide(wanted, [*planes(), joined, *workers])) == ["-cp-a:Replaced"]


def test_another_key_is_another_node() -> None:
    nodes = [*planes(), worker("w-1", "z1"), worker("w-2", "z2")]
    changed = msgspec.structs.replace(pool(), ssh_public_key="ssh-rsa AA==")
    (change,) = decide(cluster(changed), nodes)
    assert isinstance(change, Create)
    assert change.spec.ssh_public_key == "ssh-rsa AA=="
    wanted = cluster(pool())
    plane = msgspec.structs.replace(wanted.spec.control_plane, ssh_public_key="ssh-rsa AA==")
    spec = msgspec.structs.replace(wanted.spec, control_plane=plane)
    assert shown(decide(msgspec.structs.replace(wanted, spec=spec), nodes)) == ["+demo-cp@z1"]


def test_pools_roll_after_the_control_plane_one_node_and_zone_at_a_time() -> None:
    wanted = cluster(pool(image="i2"), image="i2")
    current = planes(image="i2")
    old = [worker("w-1", "z1"), worker("w-2", "z2")]
    assert shown(decide(wanted, [*current, *old])) == ["+demo-default@z1"]
    new = worker("w-3", "z1", image="i2", ready=False)
    assert decide(wanted, [*current, *old, new]) == []
    new = worker("w-3", "z1", image="i2")
    assert shown(decide(wanted, [*current, *old, new])) == ["-w-1:Replaced"]


def test_where_replacing_is_paused_only_what_is_lost_goes() -> None:
    still = paused(cluster(pool(image="i2"), image="i2"), plane=True)
    old = [worker("w-1", "z1"), worker("w-2", "z2")]
    assert decide(still, [*planes(), *old]) == []
    surplus = node("cp-d", image="i2", age=9)
    assert decide(still, [*planes(), surplus, *old]) == []
    lost = {"ServerReady": "ServerNotFound", "Ready": "x", "ServicesHealthy": "x"}
    broken = [*planes()[1:], node("cp-a", conditions=lost)]
    assert shown(decide(still, [*broken, *old])) == ["-cp-a:ServerLost"]

    current = planes(image="i2")
    still = paused(cluster(pool(image="i2"), image="i2"), plane=False)
    assert decide(still, [*current, *old]) == []
    assert decide(still, [*current, *old, worker("w-3", "z1", image="i2")]) == []
    gone = worker("w-1", "z1", conditions=lost)
    changes = decide(still, [*current, gone, old[1]])
    assert shown(changes) == ["-w-1:ServerLost", "+demo-default@z1"]


def paused(made: LegacyCluster, *, plane: bool) -> LegacyCluster:
    """Of the control plane, or of every pool."""
    spec = made.spec
    if plane:
        still = msgspec.structs.replace(spec.control_plane, paused=True)
        return msgspec.structs.replace(
            made, spec=msgspec.structs.replace(spec, control_plane=still)
        )
    pools = tuple(msgspec.structs.replace(one, paused=True) for one in spec.node_pools)
    return msgspec.structs.replace(made, spec=msgspec.structs.replace(spec, node_pools=pools))


def test_nodes_are_said_to_be_of_the_version_that_their_image_brings() -> None:
    behind = msgspec.structs.replace(pool(), version="v1.35.4")
    changes = decide(cluster(behind, initialized=False), [])
    versions = {c.spec.role: c.spec.version for c in changes if isinstance(c, Create)}
    assert versions == {"control-plane": "v1.36.3", "worker": "v1.35.4"}


def test_scaling_down_takes_what_is_not_ready_then_the_youngest() -> None:
    nodes = [
        *planes(),
        worker("w-old", age=1),
        worker("w-young", age=5),
        worker("w-sick", age=0, ready=False),
    ]
    assert shown(decide(cluster(pool(z1=2)), nodes)) == ["-w-sick:ScaledDown"]
    assert shown(decide(cluster(pool(z1=1)), nodes)) == ["-w-sick:ScaledDown",
                                                        "-w-young:ScaledDown"]  # fmt: skip


def test_a_control_plane_scales_down_one_by_one() -> None:
    assert shown(decide(cluster(replicas=1), planes())) == ["-cp-c:ScaledDown"]
    two = planes()[:2]
    assert len(decide(cluster(replicas=1), two)) == 1
    leaving = [*planes()[:2], node("cp-c", deleting=True)]
    assert decide(cluster(replicas=1), leaving) == []


def test_nodes_of_a_removed_pool_go() -> None:
    nodes = [*planes(), worker("w-1", pool="gone")]
    assert shown(decide(cluster(), nodes)) == ["-w-1:PoolRemoved"]


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=6),
)
def test_etcd_never_loses_its_quorum_by_a_decision(
    replicas: int, states: list[tuple[bool, bool, bool]]
) -> None:
    """Whatever the control planes are like: what a decision removes can be lost, one at a time."""
    nodes = []
    for index, (healthy, current, leaving) in enumerate(states):
        bad = {} if healthy else {"ServerReady": "ServerNotFound", "ServicesHealthy": "x",
                                  "Ready": "x"}  # fmt: skip
        nodes.append(
            node(
                f"cp-{index}",
                zone=ZONES[index % 3],
                image="i1" if current else "i0",
                etcd=VOTER,
                conditions=bad,
                deleting=leaving,
                age=index,
            )
        )
    removed = [c for c in decide(cluster(replicas=replicas), nodes) if isinstance(c, Remove)]
    assert len(removed) <= 1
    assert all(may_lose(nodes, change.node) for change in removed)
    if removed:
        assert not any(leaving for _, _, leaving in states)


def visited(made: LegacyCluster, *guests: LegacyGuest) -> LegacyCluster:
    return msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, guests=guests))


def guest(name: str, zone: str, **more: object) -> LegacyGuest:
    return LegacyGuest(name=name, address="10.9.0.1", zone=zone, **more)  # type: ignore[arg-type]


def test_guests_count_as_nodes_of_the_clusters_own_while_they_stay() -> None:
    nodes = [*planes()[:1], worker("w-1", "z1")]
    guests = [guest("g-1", "z2"), guest("g-2", "z3"), guest("g-w", "z2", pool="default")]
    assert decide(visited(cluster(pool()), *guests), nodes) == []


def test_a_guest_that_is_to_be_replaced_gets_a_successor_where_there_are_fewest() -> None:
    nodes = [*planes()[:1], worker("w-1", "z1")]
    guests = [
        guest("g-1", "z2"),
        guest("g-2", "z3", state="Replaced"),
        guest("g-w", "z2", pool="default", state="Leaves"),
    ]
    made = visited(cluster(pool()), *guests)
    assert shown(decide(made, nodes)) == ["+demo-cp@z3", "+demo-default@z2"]


def test_nothing_is_surplus_or_outdated_while_there_are_guests() -> None:
    nodes = [*planes(), worker("w-1", "z1"), worker("w-2", "z2")]
    guests = [guest("g-1", "z2"), guest("g-w", "z1", pool="default")]
    assert decide(visited(cluster(pool(), image="i2"), *guests), nodes) == []
