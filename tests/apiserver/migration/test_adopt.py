"""A legacy cluster is taken over as it is, and given back: no server is touched by either, whatever
is killed meanwhile. Provider, service and legacy server are the real ones."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.migration.clusterapi import ClusterApi
from tests.apiserver.provider.region import eventually, provider
from tests.support.service import controllers, install_crds

from vks.kube.objects import Key, find_condition
from vks.migration.controller import setup
from vks.migration.phases import ADOPT
from vks.resources.clusterapi import Cluster, KubeadmControlPlane, Machine, MachineDeployment
from vks.resources.clustermigration import ClusterMigration
from vks.resources.core import Secret
from vks.resources.legacycluster import LegacyCluster
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort, VerdaPortPool
from vks.runtime.manager import Manager
from vks.verda.loadbalancer import LoadBalancerRequest

pytestmark = pytest.mark.timeout(240)

#: What is made for Cluster API, and not left behind.
GONE = (
    Cluster,
    KubeadmControlPlane,
    MachineDeployment,
    VerdaCluster,
    VerdaMachine,
    VerdaPortPool,
    VerdaPort,
)
ARGUMENTS = {"kube-apiserver": {"--service-account-issuer": "vks-legacy"}}


class Way:
    """A cluster that has been prepared, on its way."""

    def __init__(self, legacy: Legacy) -> None:
        self.legacy = legacy
        self.client = legacy.client
        self.namespace = legacy.namespace
        self.core = ClusterApi(legacy.client, Key(legacy.namespace, NAME))

    async def make(self) -> None:
        """As the service makes it, with one worker, which has one of two reserved addresses."""
        cloud = self.legacy.region.under_test
        await self.legacy.region.secret(
            "cloud-config", {"clouds.yaml": self.legacy.region.clouds_yaml}
        )
        zones = list(cloud.zones)
        shape = {"flavor": cloud.flavors[0], "image": cloud.image}
        managed: dict[str, Any] = {
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {
                "region": cloud.region,
                "version": "v1.36.3",
                "provisioner": "legacy",
                "controlPlane": {"replicas": 3, "zones": zones, **shape},
                "bootstrap": {},
            },
        }
        pool = {
            "metadata": {
                "name": f"{NAME}.default",
                "namespace": self.namespace,
                "labels": {"cluster.x-k8s.io/cluster-name": NAME},
            },
            "spec": {
                "clusterName": NAME,
                "poolName": "default",
                "replicas": 1,
                "zones": zones,
                "staticIP": {"slots": [{"name": "1"}, {"name": "2"}]},
                **shape,
            },
        }
        await self.client.apply(ManagedCluster, managed, field_manager="user")
        await self.client.apply(NodePool, pool, field_manager="user")

        async def served() -> bool:
            return bool((await self.client.list(LegacyCluster, self.namespace)).items)

        await eventually(served)
        await self.legacy.settled(4)

    async def prepare(self) -> None:
        """What adopting relies on: a load balancer, and etcd members with the nodes' names."""
        cluster = await self.legacy.cluster()
        balancers = self.legacy.region.verda.loadbalancer
        made = await balancers.create_load_balancer(
            cluster.metadata.uid, LoadBalancerRequest(name="old")
        )
        endpoint = {"host": made.vip_address, "port": 6443}
        await self._patch_cluster({"spec": {"endpoint": endpoint, "release": "Control"}})
        await eventually(self._released)
        members = [
            {"name": node.metadata.name, "peerUrl": f"https://{node.status.address}:2380"}
            for node in await self.legacy.nodes("control-plane")
        ]
        await self.etcd_has(members)
        await self.ask()  # nobody plans: a cluster that is made up answers no questions

    async def etcd_has(self, members: list[dict[str, str]]) -> None:
        """As the legacy server has told. It may be telling right now what it saw before: said
        once more then."""
        names = [member["name"] for member in members]

        async def told() -> bool:
            await self._patch_cluster({"status": {"etcdMembers": members}}, "status")
            await asyncio.sleep(0.5)
            found = (await self.legacy.cluster()).status.etcd_members
            return [member.name for member in found] == names

        await eventually(told)

    async def ask(self, **spec: Any) -> None:
        body = {
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {"clusterName": NAME, "planRequest": "one", **spec},
        }
        await self.client.apply(ClusterMigration, body, field_manager="operator")
        plan = {"request": "one", "made": "2026-01-01T00:00:00Z", "arguments": ARGUMENTS}
        await self.client.merge_patch(
            ClusterMigration, NAME, self.namespace, {"status": {"plan": plan}}, subresource="status"
        )

    async def phase(self) -> str:
        found = await self.client.get(ClusterMigration, NAME, self.namespace)
        return found.status.phase

    async def reached(self, phase: str) -> None:
        async def look() -> bool:
            return await self.phase() == phase

        try:
            await eventually(look, 60.0)
        except AssertionError as error:
            found = await self.client.get(ClusterMigration, NAME, self.namespace)
            said = [(c.type, c.reason, c.message) for c in found.status.conditions]
            raise AssertionError(f"{error}: {said}") from error

    async def untouched(self) -> dict[str, Any]:
        """What neither way may change: the cloud, and what nodes were told."""
        return {
            **await self.legacy.region.census(),
            "server groups": 0,  # come with the VerdaCluster, and stay for the next attempt
            "alive": sorted(s.id for s in await self.legacy.region.verda.compute.servers()),
            "voters": self.legacy.world.voters,
            "nodes": sorted(self.legacy.world.nodes),
        }

    async def addresses_are_known(self) -> None:
        """Each slot is the port that it was, and the worker has its own."""
        cluster, (worker,) = await self.legacy.cluster(), await self.legacy.nodes("worker")

        async def reserved() -> bool:
            ports = (await self.client.list(VerdaPort, self.namespace)).items
            return {port.status.port_id for port in ports} == {
                slot.port_id for slot in cluster.status.slots
            }

        await eventually(reserved)
        ports = (await self.client.list(VerdaPort, self.namespace)).items
        (held,) = [port for port in ports if port.spec.claim is not None]
        assert held.metadata.name == f"{NAME}.default.{worker.spec.slot}"
        assert held.status.address == worker.status.address
        assert held.status.state == "InUse"

    async def _released(self) -> bool:
        found = find_condition((await self.legacy.cluster()).status.conditions, "Released")
        return found is not None and found.status == "True"

    async def _patch_cluster(self, patch: dict[str, Any], part: str | None = None) -> None:
        await self.client.merge_patch(LegacyCluster, NAME, self.namespace, patch, subresource=part)


@contextlib.asynccontextmanager
async def migrating(legacy: Legacy) -> AsyncIterator[None]:
    """Leaving is as good as a kill."""
    manager = Manager(legacy.client, name="vks-migration", grace_period=2.0)
    setup(manager, (ADOPT,), namespace=legacy.namespace)
    task = asyncio.create_task(manager.run(asyncio.Event()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def way(legacy: Legacy) -> AsyncIterator[Way]:
    await install_crds(legacy.client)
    way = Way(legacy)
    async with (
        controllers(legacy.client),
        provider(legacy.client, legacy.namespace),
        legacy.server(),
        way.core.running(),
    ):
        await way.make()
        await way.prepare()
        yield way


async def test_a_cluster_is_taken_over_as_it_is_and_given_back(way: Way) -> None:
    before = await way.untouched()
    nodes = {node.metadata.name for node in await way.legacy.nodes()}
    async with migrating(way.legacy):
        await way.ask(target="Adopted")
        await way.reached("Adopted")
        assert await way.untouched() == before
        machines = (await way.client.list(Machine, way.namespace)).items
        assert {machine.metadata.name for machine in machines} == nodes
        servers = (await way.client.list(VerdaMachine, way.namespace)).items
        assert all(server.spec.adopted_server_policy == "Retain" for server in servers)
        assert way.core.mistakes == []
        await way.addresses_are_known()

        await way.ask(target="Adopted", rollback=True)
        await way.reached("RolledBack")
    assert await way.untouched() == before
    for model in GONE:
        assert (await way.client.list(model, way.namespace)).items == []
    left = {secret.metadata.name for secret in (await way.client.list(Secret, way.namespace)).items}
    assert not left & {f"{NAME}-{purpose}" for purpose in ("etcd", "proxy", "sa", "encryption")}
    assert f"{NAME}-ca" in left
    await way.legacy.settled(4)
    assert way.core.mistakes == []


async def test_killed_again_and_again_it_touches_nothing_either(way: Way) -> None:
    before = await way.untouched()
    chance = random.Random(5)
    for spec, end in (
        ({"target": "Adopted"}, "Adopted"),
        ({"target": "Adopted", "rollback": True}, "RolledBack"),
    ):
        await way.ask(**spec)
        for _ in range(200):
            async with migrating(way.legacy):
                await asyncio.sleep(0.05 + chance.random() * 0.5)
            if await way.phase() == end:
                break
        assert await way.phase() == end
        assert await way.untouched() == before
        assert way.core.mistakes == []


async def test_nothing_is_taken_over_that_would_be_changed_by_it(way: Way) -> None:
    """etcd has a member that no control plane is known for."""
    stranger = [{"name": "etcd-old", "peerUrl": "https://192.0.2.1:2380"}]
    await way.etcd_has(stranger)
    async with migrating(way.legacy):
        await way.ask(target="Adopted")

        async def refused() -> bool:
            found = await way.client.get(ClusterMigration, NAME, way.namespace)
            adopted = find_condition(found.status.conditions, "Adopted")
            return adopted is not None and adopted.reason == "WouldReplace"

        await eventually(refused, 60.0)
        assert (await way.client.list(Machine, way.namespace)).items == []
        assert (await way.client.get(Cluster, NAME, way.namespace)).spec.paused
        await way.ask(target="Adopted", rollback=True)
        await way.reached("RolledBack")
    await way.legacy.settled(4)
