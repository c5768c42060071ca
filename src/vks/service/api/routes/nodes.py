"""What is done to one node: recreate, cordon, uncordon, drain, delete."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter

from vks.kube.errors import NotFound
from vks.resources.clusterapi import Machine
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool, nodepool_name
from vks.resources.operation import OperationType
from vks.service.api import models
from vks.service.api.changing import ChangingIn, refuse_deleting
from vks.service.api.context import Name
from vks.service.api.maintenance import refuse_maintained
from vks.service.api.problems import Problem
from vks.service.api.regions import Region, find_cluster, patch_spec
from vks.service.names import POOL_LABEL

router = APIRouter(
    prefix="/projects/{project}/clusters/{cluster}/nodes/{node}", tags=["node pools"]
)

_TYPES: dict[str, OperationType] = {
    "recreate": "RecreateNode",
    "cordon": "CordonNode",
    "uncordon": "UncordonNode",
    "drain": "DrainNode",
}


@router.post("/{action}", operation_id="actOnNode", status_code=202)
async def act_on_node(
    asked: ChangingIn,
    cluster: Name,
    node: Name,
    action: Literal["recreate", "cordon", "uncordon", "drain"],
    body: models.NodeActionRequest | None = None,
) -> models.OperationView:
    """Cordon keeps new pods off; drain moves all away; recreate drains, and makes a new node in
    place of this one."""
    given = body or models.NodeActionRequest()
    region, owner = await find_cluster(asked.scope.regions, asked.scope.caller, cluster)
    change = asked.change(given)
    if (known := await asked.known(change, region, owner.metadata.namespace)) is not None:
        return known
    refuse_deleting(owner)
    machine = await _find(region, owner, node)
    if action == "recreate":
        await refuse_maintained(asked.scope, region, owner)
        _require_others(owner, machine)
    more: dict[str, object] = {}
    if action == "drain":
        more["drainTimeoutSeconds"] = given.drain_timeout_seconds
    more["poolName"] = _pool_of(machine)
    return await asked.record(
        change, region, _TYPES[action], cluster, machine, generation=0, more=more
    )


@router.delete("", operation_id="deleteNode", status_code=202)
async def delete_node(asked: ChangingIn, cluster: Name, node: Name) -> models.OperationView:
    """Scales the node's pool down by exactly this node."""
    region, owner = await find_cluster(asked.scope.regions, asked.scope.caller, cluster)
    change = asked.change()
    if (known := await asked.known(change, region, owner.metadata.namespace)) is not None:
        return known
    refuse_deleting(owner)
    machine = await _find(region, owner, node)
    if machine.is_control_plane:
        raise Problem("conflict", "a control plane is not deleted by itself: scale the cluster")
    await refuse_maintained(asked.scope, region, owner)
    await _shrink(region, owner, machine)
    more = {"poolName": _pool_of(machine)}
    return await asked.record(
        change, region, "DeleteNode", cluster, machine, generation=0, more=more
    )


async def _find(region: Region, cluster: ManagedCluster, node: str) -> Machine:
    """Raises Problem."""
    try:
        machine = await region.client.get(Machine, node, cluster.metadata.namespace)
    except NotFound:
        machine = None
    if machine is None or machine.metadata.labels.get(CLUSTER_NAME_LABEL) != cluster.metadata.name:
        raise Problem("not_found", f"the cluster has no node {node!r}")
    return machine


def _require_others(cluster: ManagedCluster, machine: Machine) -> None:
    if machine.is_control_plane and cluster.spec.control_plane.replicas < 3:
        raise Problem("conflict", "the only control plane cannot be recreated: scale it to 3")


async def _shrink(region: Region, cluster: ManagedCluster, machine: Machine) -> None:
    """One write says how many there shall be and which one goes; said twice it is said once."""
    namespace, name = machine.metadata.namespace, machine.metadata.name
    pool_name = _pool_of(machine)
    key = nodepool_name(cluster.metadata.name, pool_name)
    pool = await region.client.get(NodePool, key, namespace)
    if name in pool.spec.leaving:
        return
    selector = f"{CLUSTER_NAME_LABEL}={cluster.metadata.name},{POOL_LABEL}={pool_name}"
    machines = await region.client.list(Machine, namespace, label_selector=selector)
    present = {m.metadata.name for m in machines.items}
    kept = [other for other in pool.spec.leaving if other in present]
    spec: dict[str, Any] = {"leaving": [*kept, name]}
    if pool.spec.autoscaling is None:
        spec["replicas"] = max(0, pool.spec.replicas - 1)
    await patch_spec(region.client, pool, spec)


def _pool_of(machine: Machine) -> str:
    return machine.metadata.labels.get(POOL_LABEL, "")
