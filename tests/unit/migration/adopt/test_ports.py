"""Reserved addresses as the provider is told of them."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.unit.migration.builders import NAMESPACE, deployment, legacy_cluster, legacy_node

from vks.migration.adopt.machines import worker_bodies
from vks.migration.adopt.ports import port_body, unreserved
from vks.resources.legacycluster import LegacyCluster, LegacyPoolSpec, LegacySlot, slot_owner
from vks.resources.nodepool import StaticIPSpec
from vks.resources.verdaport import SlotSpec

POOL: dict[str, Any] = {
    "metadata": {"name": "old.edge", "namespace": NAMESPACE, "uid": "uid-pool"},
    "spec": {"clusterName": "old", "slots": [{"name": "1"}, {"name": "2", "zone": "tokyo-2"}]},
}
ONE = LegacySlot(pool="edge", name="1", port_id="p-1", address="10.0.0.1")
TWO = LegacySlot(pool="edge", name="2", port_id="p-2", address="10.0.0.2")


def cluster(*slots: LegacySlot) -> LegacyCluster:
    static = StaticIPSpec(slots=(SlotSpec(name="1"), SlotSpec(name="2", zone="tokyo-2")))
    pool = LegacyPoolSpec(name="edge", flavor="small", image="img-1", static_ip=static)
    made = legacy_cluster(node_pools=(pool,))
    return msgspec.structs.replace(made, status=msgspec.structs.replace(made.status, slots=slots))


def test_a_port_is_found_by_its_first_owners_mark_and_is_not_deleted() -> None:
    known = cluster(ONE, TWO)
    body = port_body(known, TWO, POOL, [])
    assert body["metadata"]["name"] == "old.edge.2"
    assert body["metadata"]["annotations"] == {
        "infrastructure.cluster.x-k8s.io/cloud-owner": slot_owner("uid-old", "edge", "2")
    }
    assert body["metadata"]["ownerReferences"][0]["uid"] == "uid-pool"
    assert body["spec"] == {
        "clusterName": "old",
        "poolRef": {"name": "old.edge"},
        "zone": "tokyo-2",
        "deletionPolicy": "Retain",
    }


def test_the_machine_of_the_node_that_has_an_address_holds_it() -> None:
    node = legacy_node("old-edge-a", pool="edge", slot="1")
    stranger = legacy_node("old-web-a", pool="web", slot="1")
    spec = port_body(cluster(ONE, TWO), ONE, POOL, [stranger, node])["spec"]
    assert (spec["claim"]["name"], spec["claim"]["owner"]) == ("old-edge-a", "uid-old-edge-a")
    assert (spec["token"], spec["lastZone"]) == (1, "tokyo-1")
    server, _ = worker_bodies(node, deployment("edge"))
    assert server["spec"]["portPoolRef"] == {"name": "old.edge"}
    assert server["spec"]["portRef"] == {"name": "old.edge.1"}


def test_addresses_that_are_not_reserved_yet_are_waited_for() -> None:
    assert unreserved(cluster(ONE, TWO)) == []
    assert unreserved(cluster(ONE)) == ["slot 2 of pool edge is not as it shall be"]
    late = msgspec.structs.replace(TWO, port_id="")
    assert unreserved(cluster(ONE, late)) == ["slot 2 of pool edge is not as it shall be"]
    other = LegacySlot(pool="edge", name="3", port_id="p-3")
    assert unreserved(cluster(ONE, TWO, other)) == ["slot 3 of pool edge is not as it shall be"]
