"""What the service has made of the cluster as one of Cluster API's."""

from __future__ import annotations

from typing import Any, NamedTuple

from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.kube.objects import Key, Resource
from vks.resources.clusterapi import Cluster, KubeadmControlPlane, MachineDeployment
from vks.resources.contract import CLUSTER_NAME_LABEL, PAUSED_ANNOTATION
from vks.resources.legacycluster import LegacyCluster
from vks.resources.nodepool import POOL_LABEL, nodepool_name
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdaport import VerdaPortPool
from vks.runtime.result import Waiting

Body = dict[str, Any]

POLL = 1.0


class Rendered(NamedTuple):
    """As the API server has them, defaults filled in. `deployments` by pool and zone, `port_pools`
    by pool."""

    cluster: Body
    infrastructure: Body
    control_plane: Body
    deployments: dict[tuple[str, str], Body]
    port_pools: dict[str, Body]

    @property
    def on_hold(self) -> bool:
        """Whether nothing of the cluster is acted upon."""
        annotations = self.control_plane["metadata"].get("annotations", {})
        return bool(self.cluster["spec"].get("paused")) and PAUSED_ANNOTATION in annotations


async def rendered(client: Client, cluster: LegacyCluster) -> Rendered:
    """Raises Waiting until everything is there, ApiError."""
    key = cluster.key
    root = await _get(client, Cluster.resource, key)
    reference = root["spec"]["controlPlaneRef"]["name"]
    plane = await _get(client, KubeadmControlPlane.resource, Key(key.namespace, reference))
    infrastructure = await _get(client, VerdaCluster.resource, key)
    deployments = await deployments_of(client, key)
    wanted = {
        (pool.name, zone.name)
        for pool in cluster.spec.node_pools
        for zone in pool.zones
        if zone.replicas
    }
    missing = sorted("/".join(names) for names in wanted - deployments.keys())
    if missing:
        raise Waiting("WaitingForPools", f"no MachineDeployment yet for {', '.join(missing)}", POLL)
    port_pools = {
        pool.name: await _get(
            client,
            VerdaPortPool.resource,
            Key(key.namespace, nodepool_name(key.name, pool.name)),
        )
        for pool in cluster.spec.node_pools
        if pool.static_ip is not None
    }
    return Rendered(root, infrastructure, plane, deployments, port_pools)


async def deployments_of(client: Client, cluster: Key) -> dict[tuple[str, str], Body]:
    """The cluster's MachineDeployments by pool and zone."""
    found = await client.list(
        MachineDeployment.resource,
        cluster.namespace,
        label_selector=f"{CLUSTER_NAME_LABEL}={cluster.name}",
    )
    return {
        (
            item["metadata"]["labels"].get(POOL_LABEL, ""),
            item["spec"]["template"]["spec"].get("failureDomain", ""),
        ): item
        for item in found.items
    }


async def _get(client: Client, resource: Resource, key: Key) -> Body:
    try:
        found: Body = await client.get(resource, key.name, key.namespace)
    except NotFound:
        message = f"there is no {resource.kind} {key.name} yet"
        raise Waiting("WaitingForService", message, POLL) from None
    return found
