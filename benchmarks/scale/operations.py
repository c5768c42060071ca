"""What is done to the clusters. Every operation ends when what it asked for has come true."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.scale import manifests
from benchmarks.scale.manifests import Infrastructure
from benchmarks.scale.observe import Machines
from benchmarks.scale.plane import NAMESPACES, Plane
from benchmarks.scale.topology import Operation, Topology
from vks.kube.client import Client
from vks.kube.errors import NotFound

#: By how many machines a pool grows.
GROWTH = 100
_CREATORS = 8


@dataclass
class Fleet:
    """The clusters of one run: one provider, one topology, one namespace."""

    plane: Plane
    client: Client
    provider: Infrastructure
    topology: Topology
    namespace: str
    machines: Machines
    version: str
    newer: str
    timeout: float

    @property
    def names(self) -> list[str]:
        return [f"c{number:03}" for number in range(self.topology.clusters)]

    async def perform(self, operation: Operation) -> float:
        """The moment at which it was done, on the clock of `time.monotonic`."""
        return await {
            "create": self._create,
            "scale": self._scale,
            "roll": self._roll,
            "upgrade": self._upgrade,
            "restart": self._restart,
            "delete": self._delete,
        }[operation]()

    async def _create(self) -> float:
        slots = asyncio.Semaphore(_CREATORS)

        async def create(name: str) -> None:
            async with slots:
                for resource, body in manifests.cluster_objects(
                    name, self.topology, self.provider, self.version
                ):
                    body["metadata"]["namespace"] = self.namespace
                    await self.client.create(resource, body)

        async with asyncio.TaskGroup() as tasks:
            for name in self.names:
                tasks.create_task(create(name))
        return await self._all_ready(self.topology.machines)

    async def _scale(self) -> float:
        growth = GROWTH if self.topology.workers >= GROWTH else self.topology.workers
        zones = self.provider.zones
        counts = manifests.spread(self.topology.workers + growth, len(zones))
        for name in self.names:
            for zone, count in zip(zones, counts, strict=True):
                await self._patch_deployment(name, zone, {"replicas": count})
        workers = self.topology.workers + growth
        self.topology = replace(self.topology, workers=workers)
        return await self._all_ready(self.topology.machines)

    async def _roll(self) -> float:
        """Another template, as a change of flavor or image makes one."""
        for name in self.names:
            resource, body = manifests.template(f"{name}-b", self.provider)
            body["metadata"]["namespace"] = self.namespace
            await self.client.create(resource, body)
            reference = {"infrastructureRef": {"name": f"{name}-b"}}
            for zone in self.provider.zones:
                await self._patch_deployment(name, zone, {"template": {"spec": reference}})
        before = {life.created for _, life in self.machines.alive()}
        workers = self.topology.clusters * self.topology.workers

        def rolled() -> bool:
            fresh = [life for life in self.machines.ready() if life.created not in before]
            return len(fresh) == workers and self.machines.rest() == self.topology.machines

        return await self.machines.until(rolled, self.timeout)

    async def _upgrade(self) -> float:
        for name in self.names:
            await self.client.merge_patch(
                manifests.CONTROL_PLANES, name, self.namespace, {"spec": {"version": self.newer}}
            )
        await self._all_at(self.topology.clusters * self.topology.control_planes)
        for name in self.names:
            for zone in self.provider.zones:
                version = {"template": {"spec": {"version": self.newer}}}
                await self._patch_deployment(name, zone, version)
        return await self._all_at(self.topology.machines)

    async def _restart(self) -> float:
        """Our controllers come back with everything in place; then a user changes something, and
        it is done when that has been seen to."""
        self.plane.restart("provider")
        name = self.names[0]
        zone = self.provider.zones[0]
        found = await self.client.get(
            manifests.DEPLOYMENTS, manifests.deployment_name(name, zone), self.namespace
        )
        await self._patch_deployment(name, zone, {"replicas": found["spec"]["replicas"] + 1})
        self.topology = replace(self.topology, workers=self.topology.workers + 1)
        return await self.machines.until(self._one_more_asked_for, self.timeout)

    def _one_more_asked_for(self) -> bool:
        provisioned = [life for _, life in self.machines.alive() if "provisioned" in life.reached]
        return len(provisioned) == self.topology.machines

    async def _delete(self) -> float:
        for name in self.names:
            await self.client.delete(manifests.CLUSTERS, name, self.namespace)
        await self.machines.until(lambda: self.machines.rest() == 0, self.timeout)
        for name in self.names:
            await self._gone(name)
        await self.client.delete(NAMESPACES, self.namespace)
        return asyncio.get_running_loop().time()

    async def _gone(self, name: str) -> None:
        async with asyncio.timeout(self.timeout):
            while True:
                try:
                    await self.client.get(manifests.CLUSTERS, name, self.namespace)
                except NotFound:
                    return
                await asyncio.sleep(0.1)

    async def _all_ready(self, count: int) -> float:
        def complete() -> bool:
            return len(self.machines.ready()) == count == self.machines.rest()

        return await self.machines.until(complete, self.timeout)

    async def _all_at(self, count: int) -> float:
        def upgraded() -> bool:
            at = [life for life in self.machines.ready() if life.version == self.newer]
            return len(at) == count and self.machines.rest() == self.topology.machines

        return await self.machines.until(upgraded, self.timeout)

    async def _patch_deployment(self, name: str, zone: str, spec: Mapping[str, object]) -> None:
        deployment = manifests.deployment_name(name, zone)
        await self.client.merge_patch(
            manifests.DEPLOYMENTS, deployment, self.namespace, {"spec": spec}
        )
