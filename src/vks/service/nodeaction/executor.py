"""Takes an operation on one node a step further. Every step may be taken again after a crash."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from vks.kube.client import Client
from vks.kube.errors import ApiError, NotFound, TooManyRequests
from vks.kube.objects import Key
from vks.resources.clusterapi import Machine
from vks.resources.core import Node
from vks.resources.operation import Operation, OperationError
from vks.service.managedcluster.observe import Observed
from vks.service.nodeaction.eviction import Pod, to_evict, what_is_left
from vks.service.nodeaction.removal import may_recreate, removal_steps
from vks.service.operation.step import Progress, Step
from vks.service.workload import Workloads

NAME = "vks-nodeaction"
#: Seconds between looks at a node that is being drained: nobody tells us that a pod is gone.
POLL = 1.0

TYPES = ("CordonNode", "UncordonNode", "DrainNode", "RecreateNode", "DeleteNode")


class Outcome(NamedTuple):
    progress: Progress
    #: Seconds until something is to be looked at that no watch tells of.
    again: float | None = None


class NodeActions:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._workloads = Workloads(client)

    async def advance(self, operation: Operation, seen: Observed, now: datetime) -> Outcome:
        """Does what can be done now and says how far it is. Raises ApiError of the management
        cluster."""
        target = operation.spec.target
        machine = next((m for m in seen.machines if m.metadata.uid == target.uid), None)
        if operation.spec.type in ("RecreateNode", "DeleteNode"):
            if operation.spec.type == "RecreateNode" and machine is not None:
                await self._remove(machine, seen)
            return Outcome(Progress(tuple(removal_steps(operation, machine, seen))))
        if machine is None or machine.deleting:
            error = OperationError(code="TargetDeleted", message=f"node {target.name} is gone")
            return Outcome(Progress((Step(_TITLES[operation.spec.type], 0, 1),), error))
        try:
            return await self._in_workload(operation, machine, now)
        except ApiError as error:
            message = f"the cluster's API does not answer: {error.reason}"
            return Outcome(Progress((Step(_TITLES[operation.spec.type], 0, 1, message),)), POLL)

    async def _remove(self, machine: Machine, seen: Observed) -> None:
        """Cluster API drains it and makes another in its place."""
        if machine.deleting or may_recreate(machine, seen):
            return
        meta = machine.metadata
        try:
            await self._client.delete(Machine, meta.name, meta.namespace, uid=meta.uid)
        except NotFound:
            return

    async def _in_workload(self, operation: Operation, machine: Machine, now: datetime) -> Outcome:
        title = _TITLES[operation.spec.type]
        if machine.status.node_ref is None:
            return Outcome(Progress((Step(title, 0, 1, "the node has not joined yet"),)))
        cluster = Key(machine.metadata.namespace, operation.spec.cluster_name)
        client = await self._workloads.client(cluster)
        node = machine.status.node_ref.name
        unschedulable = operation.spec.type != "UncordonNode"
        patch = {"spec": {"unschedulable": unschedulable or None}}
        await client.merge_patch(Node, node, "", patch, field_manager=NAME)
        if operation.spec.type != "DrainNode":
            return Outcome(Progress((Step(title, 1, 1),)))
        return await self._drain(operation, client, node, now)

    async def _drain(
        self, operation: Operation, client: Client, node: str, now: datetime
    ) -> Outcome:
        found = await client.list(Pod, field_selector=f"spec.nodeName={node}")
        pods = to_evict(found.items)
        if not pods:
            return Outcome(Progress((Step("Drain", 1, 1),)))
        held = [str(pod.key) for pod in pods if not await _evicted(client, pod)]
        left = what_is_left(pods, held)
        error = None
        if now >= _deadline(operation):
            error = OperationError(code="DrainTimeout", message=left)
        return Outcome(Progress((Step("Drain", 0, 1, left),), error), POLL)


_TITLES = {"CordonNode": "Cordon", "UncordonNode": "Uncordon", "DrainNode": "Drain"}


async def _evicted(client: Client, pod: Pod) -> bool:
    """Asks for the pod's end; False when a budget does not allow it now."""
    meta = pod.metadata
    if pod.deleting:
        return True
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": meta.name, "namespace": meta.namespace},
        "deleteOptions": {"preconditions": {"uid": meta.uid}},
    }
    path = f"/api/v1/namespaces/{meta.namespace}/pods/{meta.name}/eviction"
    try:
        await client.raw("POST", path, body=msgspec.json.encode(body))
    except NotFound:
        return True
    except TooManyRequests:
        return False
    return True


def _deadline(operation: Operation) -> datetime:
    created = operation.metadata.creation_timestamp or ""
    began = datetime.fromisoformat(created.replace("Z", "+00:00"))
    return began + timedelta(seconds=operation.spec.drain_timeout_seconds)
