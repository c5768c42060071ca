"""Somebody who plays Cluster API's controllers, and is strict: it acts on nothing that is paused,
and whatever would make it create or remove a machine is written down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from vks.kube.client import Client
from vks.kube.errors import Conflict, Invalid, NotFound
from vks.kube.objects import Key, KubeObject, owner_reference
from vks.resources.clusterapi import (
    Cluster,
    KubeadmConfig,
    KubeadmControlPlane,
    Machine,
    MachineDeployment,
    MachineSet,
)
from vks.resources.contract import PAUSED_ANNOTATION
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine

FINALIZER = "test/cluster-api"
_AVAILABLE = {
    "type": "Available",
    "status": "True",
    "reason": "Available",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


class ClusterApi:
    """For one cluster."""

    def __init__(self, client: Client, key: Key) -> None:
        self._client = client
        self._key = key
        self.mistakes: list[str] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            results = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(results[0], asyncio.CancelledError), results

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(NotFound, Conflict, Invalid):  # it changed under our hands
                await self._look()
            await asyncio.sleep(0.05)

    async def _look(self) -> None:
        root = await self._client.get(Cluster, self._key.name, self._key.namespace)
        if root.spec.paused:
            return
        if root.deleting:
            await self._delete(root)
            return
        if FINALIZER not in root.metadata.finalizers:
            await self._patch(root, {"metadata": {"finalizers": [FINALIZER]}})
        verda = await self._client.get(VerdaCluster, self._key.name, self._key.namespace)
        await self._own(verda, root, controller=False)
        if verda.status.initialization.provisioned:
            status = {"initialization": {"infrastructureProvisioned": True}}
            await self._patch(root, {"status": status}, "status")
        for machine in await self._all(Machine):
            await self._machine(machine)
        await self._control_plane(root)
        for deployment in await self._all(MachineDeployment):
            await self._deployment(deployment)

    async def _machine(self, machine: Machine) -> None:
        meta = machine.metadata
        server = await self._client.get(VerdaMachine, meta.name, meta.namespace)
        await self._own(server, machine, controller=True)
        if server.status.initialization.provisioned and machine.status.node_ref is None:
            await self._patch(machine, {"status": {"nodeRef": {"name": meta.name}}}, "status")

    async def _control_plane(self, root: Cluster) -> None:
        name = root.spec.control_plane_ref.name
        plane = await self._client.get(KubeadmControlPlane, name, self._key.namespace)
        if PAUSED_ANNOTATION in plane.metadata.annotations:
            return
        machines = [m for m in await self._all(Machine) if m.is_control_plane]
        configs = {config.metadata.name for config in await self._all(KubeadmConfig)}
        if len(machines) != plane.spec.replicas:
            self.mistakes.append(f"control plane: {len(machines)} machines")
        for machine in machines:
            if machine.status.node_ref is None:
                self.mistakes.append(f"{machine.metadata.name}: its etcd member is unknown")
            if machine.metadata.name not in configs:
                self.mistakes.append(f"{machine.metadata.name}: no KubeadmConfig")
            if machine.spec.version != plane.spec.version:
                self.mistakes.append(f"{machine.metadata.name}: another version")
        await self._count(plane, plane.spec.replicas, len(machines))

    async def _deployment(self, deployment: MachineDeployment) -> None:
        name, namespace = deployment.metadata.name, deployment.metadata.namespace
        found = await self._client.get(MachineDeployment.resource, name, namespace)
        wanted = found["spec"]["selector"]["matchLabels"].items()
        machines = [m for m in await self._all(Machine) if wanted <= m.metadata.labels.items()]
        template = found["spec"]["template"]["spec"]
        for item in (await self._client.list(MachineSet.resource, namespace)).items:
            if item["spec"]["template"]["spec"] != template and wanted <= (
                item["metadata"]["labels"].items()
            ):
                self.mistakes.append(f"{name}: a MachineSet of another template")
        if len(machines) != deployment.spec.replicas:
            self.mistakes.append(f"{name}: {len(machines)} machines")
        await self._count(deployment, deployment.spec.replicas, len(machines))

    async def _count(self, obj: KubeObject, wanted: int, there: int) -> None:
        status = {
            "observedGeneration": obj.metadata.generation,
            "replicas": there,
            "readyReplicas": there,
            "upToDateReplicas": there,
            "conditions": [_AVAILABLE],
        }
        await self._patch(obj, {"status": status}, "status")

    async def _delete(self, root: Cluster) -> None:
        """As core does it when a whole cluster goes: no drain, machines before the rest."""
        machines = await self._all(Machine)
        for server in await self._all(VerdaMachine):
            await self._remove(server)
        if await self._all(VerdaMachine):
            return
        for machine in machines:
            await self._remove(machine)
        for model in (KubeadmConfig, MachineSet, MachineDeployment, KubeadmControlPlane):
            for obj in await self._all(model):
                await self._remove(obj)
        for verda in await self._all(VerdaCluster):
            await self._remove(verda)
            return
        await self._patch(root, {"metadata": {"finalizers": None}})

    async def _remove(self, obj: KubeObject) -> None:
        if not obj.deleting:
            await self._client.delete(type(obj), obj.metadata.name, obj.metadata.namespace)

    async def _own(self, obj: KubeObject, owner: KubeObject, *, controller: bool) -> None:
        if any(ref.uid == owner.metadata.uid for ref in obj.metadata.owner_references):
            return
        reference = owner_reference(owner, controller=controller)
        others = [
            {"apiVersion": r.api_version, "kind": r.kind, "name": r.name, "uid": r.uid}
            for r in obj.metadata.owner_references
        ]
        await self._patch(obj, {"metadata": {"ownerReferences": [*others, reference]}})

    async def _patch(
        self, obj: KubeObject, patch: dict[str, Any], subresource: str | None = None
    ) -> None:
        meta = obj.metadata
        await self._client.merge_patch(
            type(obj), meta.name, meta.namespace, patch, subresource=subresource
        )

    async def _all(self, model: Any) -> list[Any]:
        selector = f"cluster.x-k8s.io/cluster-name={self._key.name}"
        found = await self._client.list(model, self._key.namespace, label_selector=selector)
        items: list[Any] = found.items
        return items
