"""Nodes of Cluster API's own as guests of a legacy cluster: who they are, and who goes next."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.migration.builders import NAMESPACE, legacy_cluster, legacy_node

from vks.kube.objects import Condition, ObjectMeta
from vks.legacy.server.legacycluster.network import desired_routes
from vks.migration.rollback.guests import guests_of, next_of, succeeded
from vks.resources.clusterapi import Machine, MachineSpec
from vks.resources.core import Node, NodeSpec, NodeStatus
from vks.resources.fields import LocalReference, MachineAddress
from vks.resources.legacycluster import (
    LegacyCluster,
    LegacyGuest,
    LegacyPoolSpec,
    LegacyZoneSpec,
)
from vks.resources.legacynode import LegacyNode
from vks.resources.nodepool import StaticIPSpec
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec
from vks.resources.verdaport import SlotSpec

CIDR = "10.244.9.0/24"


def guest(
    name: str, state: str = "Stays", pool: str | None = None, slot: str | None = None
) -> LegacyGuest:
    return LegacyGuest(
        name=name,
        address="10.0.0.9",
        zone="tokyo-1",
        pod_cidr=CIDR,
        pool=pool,
        slot=slot,
        state=state,  # type: ignore[arg-type]
    )


def living(name: str, pool: str | None = None) -> tuple[Machine, Node]:
    labels = {"vks.verda/pool": pool} if pool else {"cluster.x-k8s.io/control-plane": ""}
    machine = Machine(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE, labels=labels),
        spec=MachineSpec(cluster_name="old", failure_domain="tokyo-1"),
    )
    addresses = (
        MachineAddress(type="Hostname", address=name),
        MachineAddress(type="InternalIP", address="10.0.0.9"),
    )
    node = Node(
        metadata=ObjectMeta(name=name),
        spec=NodeSpec(pod_cidr=CIDR),
        status=NodeStatus(addresses=addresses),
    )
    return machine, node


def visited(*guests: LegacyGuest) -> LegacyCluster:
    zones = (LegacyZoneSpec(name="tokyo-1", replicas=2),)
    pool = LegacyPoolSpec(name="default", flavor="small", image="img-1", zones=zones)
    return legacy_cluster(guests=guests, node_pools=(pool,))


def ready(name: str, pool: str | None = None, *, well: bool = True) -> LegacyNode:
    found = legacy_node(name, pool=pool)
    condition = Condition(type="Ready", status="True" if well else "False")
    return msgspec.structs.replace(
        found, status=msgspec.structs.replace(found.status, conditions=(condition,))
    )


@pytest.mark.parametrize("pool", [None, "default"])
def test_a_guest_is_what_its_machine_and_its_node_say(pool: str | None) -> None:
    assert guests_of([living("a", pool)], [], (), ()) == (guest("a", pool=pool),)


def test_what_was_told_of_a_guest_stays() -> None:
    told = (guest("a", "Leaves"),)
    assert guests_of([living("b"), living("a")], [], told, ()) == (*told, guest("b"))


def test_a_control_plane_without_a_node_is_a_guest_while_etcd_counts_it() -> None:
    told = (guest("a", "Leaves"), guest("w", "Leaves", "default"))
    assert guests_of([], [], told, ["https://10.0.0.9:2380"]) == (told[0],)
    assert guests_of([], [], told, ["https://10.0.0.1:2380"]) == ()


def test_a_worker_without_a_node_is_a_guest_while_it_has_a_reserved_address() -> None:
    server = VerdaMachine(
        metadata=ObjectMeta(name="a"),
        spec=VerdaMachineSpec(
            flavor="f",
            image="i",
            port_ref=LocalReference(name="old.default.s1"),
            port_pool_ref=LocalReference(name="old.default"),
        ),
    )
    held = guest("a", pool="default", slot="s1")
    assert guests_of([living("a", "default")], [server], (), ()) == (held,)
    assert guests_of([], [server], (held,), ()) == (held,)


def test_where_all_addresses_are_taken_the_guest_leaves_before_its_successor_comes() -> None:
    goes = guest("a", "Replaced", "default", "s1")
    static = StaticIPSpec(subnet_id="sub", slots=(SlotSpec(name="s1"), SlotSpec(name="s2")))
    cluster = visited(goes)
    pool = msgspec.structs.replace(cluster.spec.node_pools[0], static_ip=static)
    spec = msgspec.structs.replace(cluster.spec, node_pools=(pool,))
    cluster = msgspec.structs.replace(cluster, spec=spec)
    other = ready("w", "default")
    assert succeeded(cluster, [other], goes) == "1 of 2 are ready without it"
    holds = msgspec.structs.replace(other, spec=msgspec.structs.replace(other.spec, slot="s2"))
    assert succeeded(cluster, [holds], goes) == ""


def test_who_was_begun_with_goes_first_then_control_planes_then_workers() -> None:
    workers = [guest("a", pool="default"), guest("b", "Replaced", "default")]
    assert next_of([*workers, guest("c")]).name == "b"
    assert next_of([workers[0], guest("d"), guest("c")]).name == "c"
    assert next_of(workers[:1]).name == "a"


def test_a_control_plane_has_a_successor_when_all_that_are_wanted_are_ready_without_it() -> None:
    goes, stays = guest("a", "Replaced"), guest("b")
    cluster = visited(goes, stays)
    own = [ready("x"), ready("y", well=False), ready("w", "default")]
    assert succeeded(cluster, own, goes) == "2 of 3 are ready without it"
    assert succeeded(cluster, [ready("x"), ready("y")], goes) == ""


def test_a_worker_has_a_successor_in_its_pool_and_zone() -> None:
    goes, stays = guest("a", "Replaced", "default"), guest("b", pool="default")
    cluster = visited(goes, stays)
    assert succeeded(cluster, [ready("x"), ready("y", "other")], goes) != ""
    assert succeeded(cluster, [ready("w", "default")], goes) == ""


def test_guests_pods_are_routed_to_unless_their_range_has_passed_on() -> None:
    def routes(cidr: str) -> set[tuple[str, str]]:
        found = legacy_node("n")
        status = msgspec.structs.replace(found.status, pod_cidr=cidr, address="10.0.0.1")
        nodes = [msgspec.structs.replace(found, status=status)]
        return {(r.destination, r.nexthop) for r in desired_routes(nodes, [guest("a")])}

    assert routes("10.244.1.0/24") == {("10.244.1.0/24", "10.0.0.1"), (CIDR, "10.0.0.9")}
    assert routes(CIDR) == {(CIDR, "10.0.0.1")}
