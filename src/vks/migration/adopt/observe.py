"""How the cluster is, as Cluster API sees it."""

from __future__ import annotations

from vks.kube.objects import ObjectMeta, find_condition
from vks.migration.run.scope import Scope
from vks.resources.clusterapi import (
    Cluster,
    KubeadmControlPlane,
    Machine,
    MachineDeployment,
    ReplicaStatus,
)
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.runtime.result import Waiting

POLL = 1.0


def selector(scope: Scope) -> str:
    """Of everything that Cluster API has of the cluster."""
    return f"{CLUSTER_NAME_LABEL}={scope.name}"


async def machines_of(scope: Scope) -> list[Machine]:
    """Raises ApiError."""
    found = await scope.client.list(Machine, scope.namespace, label_selector=selector(scope))
    return found.items


async def control_plane_of(scope: Scope) -> KubeadmControlPlane:
    """Raises ApiError."""
    root = await scope.client.get(Cluster, scope.name, scope.namespace)
    name = root.spec.control_plane_ref.name
    return await scope.client.get(KubeadmControlPlane, name, scope.namespace)


async def require_settled(scope: Scope) -> None:
    """Raises Waiting until control plane and pools are what they should be; ApiError."""
    plane = await control_plane_of(scope)
    _require_counts(plane.metadata, plane.spec.replicas, plane.status)
    pools = await scope.client.list(
        MachineDeployment, scope.namespace, label_selector=selector(scope)
    )
    for pool in pools.items:
        _require_counts(pool.metadata, pool.spec.replicas, pool.status)
    available = find_condition(plane.status.conditions, "Available")
    if available is None or available.status != "True":
        message = available.message if available is not None else ""
        raise Waiting("ControlPlaneNotAvailable", message, POLL)


def _require_counts(meta: ObjectMeta, wanted: int, status: ReplicaStatus) -> None:
    counts = (status.replicas, status.ready_replicas, status.up_to_date_replicas)
    current = status.observed_generation >= meta.generation
    if not current or any(count != wanted for count in counts):
        message = (
            f"{meta.name}: of {wanted} machines {status.ready_replicas} are ready, "
            f"{status.up_to_date_replicas} up to date, {status.replicas} there"
        )
        raise Waiting("WaitingForClusterAPI", message, POLL)
