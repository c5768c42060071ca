"""The version of a pool."""

from __future__ import annotations

from vks.kube.client import Client
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool


async def fill_version(
    client: Client, pool: NodePool, cluster: ManagedCluster, field_manager: str
) -> NodePool:
    """Writes the cluster's version down once: its upgrade must not roll the pool along. Raises
    ApiError."""
    if pool.spec.version is not None:
        return pool
    meta = pool.metadata
    patch = {
        "metadata": {"resourceVersion": meta.resource_version},
        "spec": {"version": cluster.spec.version},
    }
    return await client.merge_patch(
        NodePool, meta.name, meta.namespace, patch, field_manager=field_manager
    )
