"""What a cluster says of itself, from its nodes."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from tests.unit.legacy.builders import cluster, node

from vks.kube.conditions import ConditionSet
from vks.legacy.server.conditions import CLUSTER_CONDITIONS
from vks.legacy.server.legacycluster.network import desired_routes
from vks.legacy.server.legacycluster.status import new_status, set_conditions
from vks.resources.fields import Endpoint
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.verda.network import Route

AWAY = {"AgentConnected": "AgentDisconnected", "Ready": "AgentDisconnected"}


def conditions(of: LegacyCluster, nodes: list[LegacyNode]) -> ConditionSet:
    found = ConditionSet((), CLUSTER_CONDITIONS, now=datetime.now(UTC), generation=1)
    found.set("NetworkReady", True, "Provisioned")
    found.set("AddOnsApplied", True, "Applied")
    set_conditions(of, new_status(of, nodes), nodes, found)
    return found


def test_the_founder_stays_once_the_cluster_has_begun() -> None:
    young = cluster(initialized=False)
    assert new_status(young, [node("cp-b"), node("cp-a")]).founder == "cp-a"
    chosen = cluster(initialized=False, founder="cp-b")
    assert new_status(chosen, [node("cp-b", ready=False), node("cp-a")]).founder == "cp-b"
    assert new_status(chosen, [node("cp-b", deleting=True), node("cp-a")]).founder == "cp-a"
    begun = cluster(founder="cp-b")
    assert new_status(begun, [node("cp-a")]).founder == "cp-b"


def test_a_cluster_has_begun_when_its_founder_serves_and_ever_after() -> None:
    young = cluster(initialized=False, founder="cp-a")
    assert not new_status(young, [node("cp-a", ready=False)]).initialized
    assert not new_status(young, [node("cp-b")]).initialized
    assert new_status(young, [node("cp-a")]).initialized
    assert new_status(cluster(founder="cp-a"), []).initialized


def test_users_keep_their_endpoint_while_it_answers() -> None:
    nodes = [node("cp-a", age=1), node("cp-b", age=2)]
    assert new_status(cluster(), nodes).endpoint == Endpoint(host="10.0.0.2", port=6443)
    kept = cluster(endpoint=Endpoint(host="10.0.0.3", port=6443))
    assert new_status(kept, nodes).endpoint == Endpoint(host="10.0.0.3", port=6443)
    silent = [nodes[0], node("cp-b", age=2, conditions=AWAY)]
    moved = new_status(kept, silent).endpoint
    assert moved == Endpoint(host="10.0.0.2", port=6443)
    nobody = [node("cp-a", age=1, conditions=AWAY)]
    assert new_status(kept, nobody).endpoint == kept.status.endpoint


def test_a_cluster_without_any_agent_has_lost_its_owner() -> None:
    of = cluster(replicas=2)
    both = [node("cp-a", plan="x"), node("cp-b", plan="x")]
    assert conditions(of, both).is_true("Ready")
    one = conditions(of, [both[0], node("cp-b", plan="x", conditions=AWAY)])
    found = one.get("AgentsConnected")
    assert found is not None
    assert (found.status, found.reason) == ("False", "AgentsDisconnected")
    assert "cp-b" in found.message
    lost = conditions(of, [node(n, plan="x", conditions=AWAY) for n in ("cp-a", "cp-b")])
    found = lost.get("Ready")
    assert found is not None
    assert (found.status, found.reason) == ("False", "ClusterOwnerDisappeared")


def test_pod_routes_follow_nodes_until_they_are_gone() -> None:
    nodes = [
        node("w-1", "worker", age=1, pod_cidr="10.244.1.0/24"),
        node("w-2", "worker", age=2, pod_cidr="10.244.2.0/24", deleting=True),
        node("w-3", "worker", age=3),
    ]
    assert desired_routes(nodes) == [
        Route("10.244.1.0/24", "10.0.0.2"),
        Route("10.244.2.0/24", "10.0.0.3"),
    ]
    successor = node("w-4", "worker", age=4, pod_cidr="10.244.2.0/24")
    assert desired_routes([*nodes, successor])[1] == Route("10.244.2.0/24", "10.0.0.5")


def test_counts_are_of_nodes_that_are_what_they_shall_be() -> None:
    nodes = [node("cp-a"), node("cp-b", image="old"), node("cp-c", ready=False)]
    nodes = [msgspec.structs.replace(n, metadata=n.metadata) for n in nodes]
    plane = new_status(cluster(), nodes).control_plane
    assert (plane.replicas, plane.ready_replicas, plane.up_to_date_replicas) == (3, 2, 2)
