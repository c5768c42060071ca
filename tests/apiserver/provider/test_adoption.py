"""Servers that were taken over survive every way in which their machines can be deleted, until
their former owner has released them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.apiserver.conftest import NAMESPACES
from tests.apiserver.provider.region import Region, eventually

from vks.kube.client import Client
from vks.kube.objects import find_condition
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.verda.compute import ServerRequest
from vks.verda.network import PortRequest

pytestmark = pytest.mark.timeout(120)


class Adopted:
    """A cluster of two servers that somebody else made, taken over."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.servers: dict[str, str] = {}

    async def make(self, policy: str = "Retain") -> None:
        region = self.region
        await region.add_cluster()
        cluster = await region.core_sees_infrastructure()
        network = cluster.status.network
        (flavor, *_), (image, *_) = (
            await region.verda.compute.flavors(),
            await region.verda.image.images(),
        )
        for name, control_plane in (("cp-0", True), ("w-0", False)):
            wanted = PortRequest(f"{name}-port", network.network_id, network.subnet_id)
            port = await region.verda.network.create_port(f"former-owner-{name}", wanted)
            request = ServerRequest(name, flavor.id, image.id, (port.id,))
            server = await region.verda.compute.create_server(f"former-owner-{name}", request)
            self.servers[name] = server
            await region.add_machine(
                name,
                zone=region.under_test.zones[0],
                control_plane=control_plane,
                adoptServerID=server,
                adoptedServerPolicy=policy,
            )
        for name in self.servers:
            machine = await region.machine_is_provisioned(name)
            assert machine.status.server_id == self.servers[name]

    async def alive(self) -> set[str]:
        found = {server.id for server in await self.region.verda.compute.servers()}
        return {name for name, server in self.servers.items() if server in found}

    async def deleting(self, name: str) -> str:
        """What the machine's deletion waits for."""
        condition = find_condition((await self.region.machine(name)).status.conditions, "Deleting")
        return condition.reason if condition is not None else ""


@pytest.fixture
async def adopted(running: Region) -> Adopted:
    return Adopted(running)


async def by_its_machine(region: Region) -> None:
    """Scale-down, as core does it: the Machine first, then what it refers to."""
    for name in ("cp-0", "w-0"):
        await region.client.delete(Machine, name, region.namespace)
        await region.client.delete(VerdaMachine, name, region.namespace)


async def directly(region: Region) -> None:
    for name in ("cp-0", "w-0"):
        await region.client.delete(VerdaMachine, name, region.namespace)


async def with_the_cluster(region: Region) -> None:
    """As core does it: the Cluster waits for its machines."""
    body = [{"op": "add", "path": "/metadata/finalizers", "value": ["test/core"]}]
    await region.client.json_patch(Cluster, "demo", region.namespace, body)
    await region.client.delete(Cluster, "demo", region.namespace)
    await by_its_machine(region)


async def by_garbage_collection(region: Region) -> None:
    """Only the owners are deleted; the collector does the rest."""
    for name in ("cp-0", "w-0"):
        await region.client.delete(Machine, name, region.namespace, propagation_policy="Background")


async def with_orphans(region: Region) -> None:
    """`kubectl delete --cascade=orphan` keeps a deleted object visible for a while."""
    for name in ("cp-0", "w-0"):
        await region.client.delete(
            VerdaMachine, name, region.namespace, propagation_policy="Orphan"
        )


@pytest.mark.parametrize(
    "path", [by_its_machine, directly, with_the_cluster, by_garbage_collection, with_orphans]
)
async def test_deleting_machines_deletes_no_server(
    adopted: Adopted, collector: None, path: Callable[[Region], Awaitable[None]]
) -> None:
    await adopted.make()
    await path(adopted.region)
    for name in adopted.servers:
        await adopted.region.gone(VerdaMachine, name)
    assert await adopted.alive() == {"cp-0", "w-0"}


async def test_deleting_the_namespace_deletes_no_server(
    adopted: Adopted, collector: None, client: Client
) -> None:
    await adopted.make()
    await client.delete(NAMESPACES, adopted.region.namespace)
    for name in adopted.servers:
        await adopted.region.gone(VerdaMachine, name)
    assert await adopted.alive() == {"cp-0", "w-0"}


async def test_a_released_server_goes_with_its_machine(adopted: Adopted, collector: None) -> None:
    await adopted.make(policy="Delete")
    region = adopted.region
    body = [{"op": "add", "path": "/metadata/finalizers", "value": ["test/core"]}]
    await region.client.json_patch(Machine, "cp-0", region.namespace, body)
    await by_its_machine(region)
    for name in adopted.servers:
        await region.gone(VerdaMachine, name)
    assert await adopted.alive() == set()


async def test_a_released_control_plane_does_not_go_behind_its_machines_back(
    adopted: Adopted,
) -> None:
    """Nobody has taken its etcd member out."""
    await adopted.make(policy="Delete")
    await directly(adopted.region)
    await adopted.region.gone(VerdaMachine, "w-0")

    async def refused() -> bool:
        return await adopted.deleting("cp-0") == "NotDecidedByMachine"

    await eventually(refused)
    assert await adopted.alive() == {"cp-0"}


@pytest.mark.parametrize("what", ["cluster", "machine"])
async def test_nothing_that_is_paused_is_acted_on(adopted: Adopted, what: str) -> None:
    await adopted.make(policy="Delete")
    region = adopted.region
    if what == "cluster":
        patch = {"spec": {"paused": True}}
        await region.client.merge_patch(Cluster, "demo", region.namespace, patch)
    else:
        note = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}
        await region.client.merge_patch(VerdaMachine, "w-0", region.namespace, note)

    async def paused() -> bool:
        condition = find_condition((await region.machine("w-0")).status.conditions, "Paused")
        return condition is not None and condition.status == "True"

    await eventually(paused)
    await region.client.delete(VerdaMachine, "w-0", region.namespace)
    await region.client.delete(VerdaCluster, "absent", region.namespace)  # a round trip

    async def seen() -> bool:
        return (await region.machine("w-0")).deleting

    await eventually(seen)
    assert await adopted.alive() == {"cp-0", "w-0"}
    if what == "cluster":
        resume = {"spec": {"paused": None}}
        await region.client.merge_patch(Cluster, "demo", region.namespace, resume)
    else:
        clear: dict[str, Any] = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": None}}}
        await region.client.merge_patch(VerdaMachine, "w-0", region.namespace, clear)
    await region.gone(VerdaMachine, "w-0")
    assert await adopted.alive() == {"cp-0"}


async def test_a_cluster_that_is_let_go_as_a_whole_serves_on(
    adopted: Adopted, collector: None
) -> None:
    """For whoever had it before: servers, network and load balancer with its members stay."""
    await adopted.make()
    region = adopted.region
    await region.client.merge_patch(
        VerdaCluster, "demo", region.namespace, {"spec": {"deletionPolicy": "Retain"}}
    )
    cluster = await region.cluster("demo")
    before = await region.census()
    await with_the_cluster(region)
    for name in adopted.servers:
        await region.gone(VerdaMachine, name)
    await region.client.delete(VerdaCluster, "demo", region.namespace)
    await region.gone(VerdaCluster, "demo")
    assert await region.census() == before
    members = await region.verda.loadbalancer.members(cluster.status.load_balancer.pool_id)
    assert [(member.name, member.admin_state) for member in members] == [("cp-0", "ENABLED")]
