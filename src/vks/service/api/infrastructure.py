"""Network, reserved addresses and workers of a cluster as the API shows them, whichever provisioner
made them."""

from __future__ import annotations

import asyncio

from vks.kube.errors import NotFound
from vks.resources.clusterapi import Machine, MachineDeployment
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import nodepool_name
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdaport import PORT_POOL_LABEL, VerdaPort, VerdaPortPool
from vks.service.api.regions import Region
from vks.service.names import POOL_LABEL
from vks.service.provisioners.legacy.addresses import PortPool, port_pools_of
from vks.service.provisioners.legacy.view import deployments_of, infrastructure_of, machine_of


async def find_infrastructure(region: Region, cluster: ManagedCluster) -> VerdaCluster | None:
    """Raises ApiError."""
    meta = cluster.metadata
    try:
        if cluster.spec.provisioner == "legacy":
            legacy = await region.client.get(LegacyCluster, meta.name, meta.namespace)
            return infrastructure_of(legacy)
        return await region.client.get(VerdaCluster, meta.name, meta.namespace)
    except NotFound:
        return None


async def find_port_pools(region: Region, cluster: ManagedCluster) -> list[PortPool]:
    """Those of the cluster's pools that have reserved addresses, by name. Raises ApiError."""
    client, meta = region.client, cluster.metadata
    if cluster.spec.provisioner == "legacy":
        legacy = await _find_legacy(region, cluster)
        return port_pools_of(*legacy) if legacy is not None else []
    selector = f"{CLUSTER_NAME_LABEL}={meta.name}"
    pools = await client.list(VerdaPortPool, meta.namespace, label_selector=selector)
    ports = await client.list(VerdaPort, meta.namespace, label_selector=selector)
    return [
        PortPool(pool, _slots_of(pool.metadata.name, ports.items))
        for pool in sorted(pools.items, key=lambda pool: pool.metadata.name)
    ]


async def find_port_pool(region: Region, cluster: ManagedCluster, pool: str) -> PortPool | None:
    """`pool` as its user calls it. Raises ApiError."""
    name = nodepool_name(cluster.metadata.name, pool)
    pools = await find_port_pools(region, cluster)
    return next((found for found in pools if found.pool.metadata.name == name), None)


async def find_workers(
    region: Region, cluster: ManagedCluster, pool: str
) -> tuple[list[MachineDeployment], list[Machine]]:
    """Those of `pool` as its user calls it. Raises ApiError."""
    client, meta = region.client, cluster.metadata
    if cluster.spec.provisioner == "legacy":
        legacy = await _find_legacy(region, cluster)
        if legacy is None:
            return [], []
        deployments = [
            deployment
            for deployment in deployments_of(*legacy)
            if deployment.metadata.labels[POOL_LABEL] == pool
        ]
        return deployments, [machine_of(node) for node in legacy[1] if node.spec.pool == pool]
    selector = f"{CLUSTER_NAME_LABEL}={meta.name},{POOL_LABEL}={pool}"
    made, machines = await asyncio.gather(
        client.list(MachineDeployment, meta.namespace, label_selector=selector),
        client.list(Machine, meta.namespace, label_selector=selector),
    )
    return made.items, machines.items


async def _find_legacy(
    region: Region, cluster: ManagedCluster
) -> tuple[LegacyCluster, list[LegacyNode]] | None:
    client, meta = region.client, cluster.metadata
    try:
        legacy = await client.get(LegacyCluster, meta.name, meta.namespace)
    except NotFound:
        return None
    selector = f"{CLUSTER_NAME_LABEL}={meta.name}"
    nodes = await client.list(LegacyNode, meta.namespace, label_selector=selector)
    return legacy, nodes.items


def _slots_of(pool: str, ports: list[VerdaPort]) -> dict[str, VerdaPort]:
    return {
        port.metadata.name.removeprefix(f"{pool}."): port
        for port in ports
        if port.metadata.labels.get(PORT_POOL_LABEL) == pool
    }
