"""Nodes that somebody else made live in a legacy cluster as guests, and leave it in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from tests.apiserver.legacy.machines import Member
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.provider.region import eventually

from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode

pytestmark = pytest.mark.timeout(180)

VIP = "10.9.0.100"


@dataclass
class Guests:
    """A control plane and a worker in the cluster's own network."""

    legacy: Legacy
    zone: str
    prefix: str

    @classmethod
    async def of(cls, legacy: Legacy) -> Guests:
        address = (await legacy.nodes())[0].status.address
        return cls(legacy, legacy.region.under_test.zones[0], address.rpartition(".")[0])

    def plane(self, state: str = "Stays") -> dict[str, Any]:
        address = {"address": f"{self.prefix}.201", "podCIDR": "10.244.90.0/24"}
        return {"name": "guest-cp", "zone": self.zone, "state": state, **address}

    def worker(self, state: str = "Stays") -> dict[str, Any]:
        address = {"address": f"{self.prefix}.202", "podCIDR": "10.244.91.0/24"}
        return {
            "name": "guest-w",
            "zone": self.zone,
            "pool": "default",
            "state": state,
            **address,
        }

    def arrive(self) -> None:
        """As kubeadm lets them join."""
        world, url = self.legacy.world, f"https://{self.prefix}.201:2380"
        world.members.append(Member("77", "guest-cp", url, learner=False))
        for name in ("guest-cp", "guest-w"):
            world.register(name)
        world.pods["web"] = "guest-w"


async def told(legacy: Legacy, *guests: dict[str, Any], **spec: Any) -> None:
    patch = {"spec": {"guests": [*guests], **spec}}
    await legacy.client.merge_patch(LegacyCluster, NAME, legacy.namespace, patch)


async def _gone(legacy: Legacy, name: str) -> bool:
    return name not in legacy.world.nodes


async def test_guests_count_are_routed_to_and_have_a_successor_before_they_leave(
    legacy: Legacy,
) -> None:
    async with legacy.server():
        await legacy.apply(replicas=2, default=1)
        await legacy.settled(3)
        guests = await Guests.of(legacy)
        guests.arrive()
        await told(legacy, guests.plane(), guests.worker())
        await legacy.apply(replicas=3, default=2)
        router_id = (await legacy.cluster()).status.network.router_id

        async def routed() -> bool:
            router = await legacy.region.verda.network.router(router_id)
            hops = {route.nexthop for route in router.routes}
            return {guests.plane()["address"], guests.worker()["address"]} <= hops

        await eventually(routed)
        await legacy.settled(3)
        assert {"guest-cp", "guest-w"} <= legacy.world.nodes.keys()

        await told(legacy, guests.plane(), guests.worker("Replaced"))
        await legacy.settled(4)
        assert legacy.world.evicted == [], "it stays until it is told to leave"
        await told(legacy, guests.plane(), guests.worker("Leaves"))
        await eventually(lambda: _gone(legacy, "guest-w"))
        assert legacy.world.evicted == ["web"]

        await told(legacy, guests.plane("Replaced"))
        await legacy.settled(5)
        assert len(legacy.world.voters) == 4
        await told(legacy, guests.plane("Leaves"))
        await eventually(lambda: _gone(legacy, "guest-cp"))
        assert "guest-cp" not in legacy.world.voters
        await told(legacy)
        await legacy.settled(5)
    assert len(legacy.world.voters) == 3


async def test_nothing_is_surplus_while_there_are_guests(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=3, default=1)
        await legacy.settled(4)
        before = {node.metadata.uid for node in await legacy.nodes()}
        guests = await Guests.of(legacy)
        guests.arrive()
        await told(legacy, guests.plane(), guests.worker())
        await legacy.settled(4)
        for state in ("Replaced", "Leaves"):
            await told(legacy, guests.plane(state), guests.worker(state))
        await eventually(lambda: _gone(legacy, "guest-cp"))
        assert {node.metadata.uid for node in await legacy.nodes()} == before


async def test_where_no_control_plane_of_its_own_is_left_a_guest_lets_the_first_one_in(
    legacy: Legacy,
) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1)
        await legacy.settled(1)
        guests = await Guests.of(legacy)
        guests.arrive()
        await converted(legacy)
        endpoint = {"host": VIP, "port": 6443}
        await told(legacy, guests.plane("Replaced"), release=None, endpoint=endpoint)
        await legacy.settled(1)
        (node,) = await legacy.nodes()
        assert legacy.world.voters == sorted(["guest-cp", node.metadata.name])
        running = node.status.running
        assert running["kube-apiserver"]["--anonymous-auth"] == "true", "for the load balancer"
        assert node.spec.preparation is not None
        assert node.spec.preparation.server_names == (VIP,)

        await told(legacy, guests.plane("Leaves"))
        await eventually(lambda: _gone(legacy, "guest-cp"))
        await told(legacy)
        await legacy.settled(1)
    assert legacy.world.voters == [node.metadata.name]


async def converted(legacy: Legacy) -> None:
    """Somebody else has the cluster, and has replaced its only node."""
    await told(legacy, release="Control")

    async def released() -> bool:
        return (await legacy.condition("Released"))[0] == "True"

    await eventually(released)
    (old,) = await legacy.nodes()
    world = legacy.world
    await legacy.datacenter.lose(old.metadata.name)
    world.members[:] = [member for member in world.members if member.name == "guest-cp"]
    del world.nodes[old.metadata.name]
    await legacy.client.delete(LegacyNode, old.metadata.name, legacy.namespace)

    async def gone() -> bool:
        return not await legacy.nodes()

    await eventually(gone, 30.0)
