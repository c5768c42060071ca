"""What is done to the clusters. Every operation ends when what it asked for has come true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from benchmarks.scale import manifests
from benchmarks.scale.manifests import Infrastructure
from benchmarks.scale.observe import Machines
from benchmarks.scale.plane import NAMESPACES, Plane
from benchmarks.scale.progress import Reached
from benchmarks.scale.topology import Operation, Topology
from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.kube.objects import find_condition
from vks.resources.contract import PAUSED, PAUSED_ANNOTATION
from vks.resources.verdamachine import VerdaMachine

#: By how many machines a pool grows.
GROWTH = 100
#: How long it is watched that nothing happens, in seconds.
IDLE_SECONDS = 60.0
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
    #: How far the operation under way is.
    reached: Callable[[], Reached] = field(default=lambda: Reached(0, 0))

    @property
    def names(self) -> list[str]:
        return [f"c{number:03}" for number in range(self.topology.clusters)]

    async def perform(self, operation: Operation) -> float:
        """The moment at which it was done, on the clock of `time.monotonic`."""
        self.reached = lambda: Reached(0, 0)
        return await {
            "create": self._create,
            "idle": self._idle,
            "restart": self._restart,
            "scale": self._scale,
            "roll": self._roll,
            "upgrade": self._upgrade,
            "delete": self._delete,
        }[operation]()

    async def _create(self) -> float:
        slots = asyncio.Semaphore(_CREATORS)
        self._aim(lambda: len(self.machines.ready()), self.topology.machines)

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
        return await self._there()

    async def _idle(self) -> float:
        await asyncio.sleep(IDLE_SECONDS)
        return time.monotonic()

    async def _scale(self) -> float:
        growth = GROWTH if self.topology.workers >= GROWTH else self.topology.workers
        zones = self.provider.zones
        workers = self.topology.workers + growth
        self.topology = replace(self.topology, workers=workers)
        self._aim(lambda: len(self.machines.ready()), self.topology.machines)
        counts = manifests.spread(workers, len(zones))
        for name in self.names:
            for zone, count in zip(zones, counts, strict=True):
                await self._patch_deployment(name, zone, {"replicas": count})
        return await self._there()

    async def _roll(self) -> float:
        """Another template, as a change of flavor or image makes one."""
        before = {machine.metadata.uid for machine, _ in self.machines.alive()}

        def fresh() -> int:
            return sum(
                1
                for machine, life in self.machines.alive()
                if "ready" in life.reached and machine.metadata.uid not in before
            )

        self._aim(fresh, self.topology.clusters * self.topology.workers)
        for name in self.names:
            reference = await self._new_template(name, "rolled", self.version)
            for zone in self.provider.zones:
                await self._patch_deployment(name, zone, {"template": {"spec": reference}})
        return await self._there()

    async def _upgrade(self) -> float:
        def newer() -> int:
            return sum(1 for life in self.machines.ready() if life.version == self.newer)

        self._aim(newer, self.topology.clusters * self.topology.control_planes)
        for name in self.names:
            reference = await self._new_template(name, "upgraded", self.newer)
            spec = {"version": self.newer, "machineTemplate": {"spec": reference}}
            await self.client.merge_patch(
                manifests.CONTROL_PLANES, name, self.namespace, {"spec": spec}
            )
        await self._there()
        self._aim(newer, self.topology.machines)
        for name in self.names:
            upgraded = {"version": self.newer, "infrastructureRef": {"name": f"{name}-upgraded"}}
            for zone in self.provider.zones:
                await self._patch_deployment(name, zone, {"template": {"spec": upgraded}})
        return await self._there()

    async def _new_template(self, cluster: str, suffix: str, version: str) -> dict[str, object]:
        """Makes another template for the cluster's machines; a spec that refers to it."""
        name = f"{cluster}-{suffix}"
        resource, body = manifests.template(name, self.provider, version)
        body["metadata"]["namespace"] = self.namespace
        await self.client.create(resource, body)
        return {"infrastructureRef": {"name": name}}

    async def _restart(self) -> float:
        """Our controllers come back with everything in place. Somebody changes an object of ours
        while they are away, in a way that asks for nothing in the cloud: when has that been seen
        to?"""
        name = next(machine for machine, _ in self.machines.alive()).spec.infrastructure_ref.name
        ended = asyncio.create_task(self.plane.ended("provider"))
        restarted = asyncio.create_task(asyncio.to_thread(self.plane.restart, "provider"))
        await ended
        await self._pause(name, "")
        await restarted

        def seen() -> bool:
            machine = self.machines.infrastructure(name)
            found = find_condition(machine.status.conditions, PAUSED) if machine else None
            return found is not None and found.status == "True"

        done = await self.machines.until(seen)
        await self._pause(name, None)
        return done

    async def _pause(self, name: str, value: str | None) -> None:
        patch = {"metadata": {"annotations": {PAUSED_ANNOTATION: value}}}
        await self.client.merge_patch(VerdaMachine, name, self.namespace, patch)

    async def _delete(self) -> float:
        total = self.machines.rest()
        self.reached = lambda: Reached(total - self.machines.rest(), total)
        for name in self.names:
            await self.client.delete(manifests.CLUSTERS, name, self.namespace)
        await self.machines.until(lambda: self.machines.rest() == 0)
        for name in self.names:
            await self._gone(name)
        await self.client.delete(NAMESPACES, self.namespace)
        return time.monotonic()

    async def _gone(self, name: str) -> None:
        while True:
            try:
                await self.client.get(manifests.CLUSTERS, name, self.namespace)
            except NotFound:
                return
            await asyncio.sleep(0.1)

    def _aim(self, count: Callable[[], int], total: int) -> None:
        self.reached = lambda: Reached(count(), total)

    async def _there(self) -> float:
        """When what was aimed at is there, and no machine beside those that there are to be."""

        def complete() -> bool:
            done, total = self.reached()
            return done == total and self.machines.rest() == self.topology.machines

        return await self.machines.until(complete)

    async def _patch_deployment(self, name: str, zone: str, spec: Mapping[str, object]) -> None:
        deployment = manifests.deployment_name(name, zone)
        await self.client.merge_patch(
            manifests.DEPLOYMENTS, deployment, self.namespace, {"spec": spec}
        )
