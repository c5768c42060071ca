"""What the legacy provisioner has made, in the terms in which the service speaks of clusters.

Conditions, operations and the REST API are written once, for Cluster API's objects. A legacy
cluster is shown to them as the objects that it would be there: users cannot tell the difference.
None of these is ever written.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from vks.kube.objects import Condition, ObjectMeta, find_condition
from vks.resources.clusterapi import (
    KubeadmControlPlane,
    KubeadmControlPlaneInitialization,
    KubeadmControlPlaneSpec,
    KubeadmControlPlaneStatus,
    Machine,
    MachineDeployment,
    MachineDeploymentSpec,
    MachineSpec,
    MachineStatus,
    MachineTemplateMachineSpec,
    MachineTemplateSpec,
    NodeReference,
    ReplicaStatus,
)
from vks.resources.contract import (
    CLUSTER_NAME_LABEL,
    CONTROL_PLANE_LABEL,
    INFRASTRUCTURE_GROUP,
    READY,
)
from vks.resources.fields import (
    ContractReference,
    Initialization,
    LocalReference,
    MachineAddress,
)
from vks.resources.legacycluster import LegacyCluster, LegacyPoolSpec
from vks.resources.legacynode import LegacyNode
from vks.resources.nodepool import nodepool_name
from vks.resources.verdacluster import VerdaCluster, VerdaClusterSpec, VerdaClusterStatus
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec, VerdaMachineStatus
from vks.service.names import POOL_LABEL, control_plane_name, machine_deployment_name

_NETWORK_READY = "NetworkReady"
_SERVER_READY = "ServerReady"


def infrastructure_of(cluster: LegacyCluster) -> VerdaCluster:
    """Its network; without a load balancer there is none to wait for."""
    network = find_condition(cluster.status.conditions, _NETWORK_READY)
    conditions: tuple[Condition, ...] = ()
    if network is not None:
        conditions = (network, msgspec.structs.replace(network, type=READY))
    return VerdaCluster(
        metadata=cluster.metadata,
        spec=VerdaClusterSpec(
            region=cluster.spec.region,
            identity_ref=cluster.spec.identity_ref,
            control_plane_endpoint=cluster.status.endpoint,
        ),
        status=VerdaClusterStatus(
            initialization=Initialization(provisioned=bool(cluster.status.network.network_id)),
            network=cluster.status.network,
            conditions=conditions,
        ),
    )


def control_plane_of(cluster: LegacyCluster) -> KubeadmControlPlane:
    status = cluster.status
    plane = status.control_plane
    return KubeadmControlPlane(
        metadata=ObjectMeta(
            name=control_plane_name(cluster.metadata.name),
            namespace=cluster.metadata.namespace,
            generation=cluster.metadata.generation,
        ),
        spec=KubeadmControlPlaneSpec(
            replicas=cluster.spec.control_plane.replicas, version=cluster.spec.version
        ),
        status=KubeadmControlPlaneStatus(
            observed_generation=status.observed_generation,
            replicas=plane.replicas,
            ready_replicas=plane.ready_replicas,
            available_replicas=plane.ready_replicas,
            up_to_date_replicas=plane.up_to_date_replicas,
            version=plane.version,
            initialization=KubeadmControlPlaneInitialization(
                control_plane_initialized=status.initialized
            ),
        ),
    )


def deployments_of(cluster: LegacyCluster, nodes: Iterable[LegacyNode]) -> list[MachineDeployment]:
    """One per pool and zone that has nodes or shall have some, by name."""
    workers = [node for node in nodes if node.spec.pool is not None]
    pools = {pool.name: pool for pool in cluster.spec.node_pools}
    places = {(name, zone.name) for name, pool in pools.items() for zone in pool.zones}
    places |= {(node.spec.pool or "", node.spec.zone) for node in workers}
    return [
        _deployment(cluster, pool, zone, pools.get(pool), workers) for pool, zone in sorted(places)
    ]


def _deployment(
    cluster: LegacyCluster,
    pool: str,
    zone: str,
    spec: LegacyPoolSpec | None,
    workers: Iterable[LegacyNode],
) -> MachineDeployment:
    here = [node for node in workers if (node.spec.pool, node.spec.zone) == (pool, zone)]
    wanted = sum(z.replicas for z in spec.zones if z.name == zone) if spec is not None else 0
    ready = [node for node in here if _ready(node)]
    current = [node for node in here if spec is not None and _is_current(node, spec)]
    name = cluster.metadata.name
    version = (spec.version if spec is not None else None) or cluster.spec.version
    return MachineDeployment(
        metadata=ObjectMeta(
            name=machine_deployment_name(name, pool, zone),
            namespace=cluster.metadata.namespace,
            labels={CLUSTER_NAME_LABEL: name, POOL_LABEL: pool},
            generation=cluster.metadata.generation,
        ),
        spec=MachineDeploymentSpec(
            cluster_name=name,
            replicas=wanted,
            template=MachineTemplateSpec(
                spec=MachineTemplateMachineSpec(version=version, failure_domain=zone)
            ),
        ),
        status=ReplicaStatus(
            observed_generation=cluster.status.observed_generation,
            replicas=len(here),
            ready_replicas=len(ready),
            available_replicas=len(ready),
            up_to_date_replicas=len(current),
        ),
    )


def _is_current(node: LegacyNode, pool: LegacyPoolSpec) -> bool:
    own = node.spec
    return (own.flavor, own.image, own.ssh_public_key) == (
        pool.flavor,
        pool.image,
        pool.ssh_public_key,
    )


def machine_of(node: LegacyNode) -> Machine:
    labels = {CLUSTER_NAME_LABEL: node.spec.cluster_name}
    labels |= {CONTROL_PLANE_LABEL: ""} if node.is_control_plane else {}
    labels |= {POOL_LABEL: node.spec.pool} if node.spec.pool is not None else {}
    meta, status = node.metadata, node.status
    registered = find_condition(status.conditions, "NodeReady")
    is_node = registered is not None and registered.status == "True"
    ready = find_condition(status.conditions, READY)
    return Machine(
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            creation_timestamp=meta.creation_timestamp,
            deletion_timestamp=meta.deletion_timestamp,
            labels=labels,
        ),
        spec=MachineSpec(
            cluster_name=node.spec.cluster_name,
            version=status.version or node.spec.version or "",
            failure_domain=node.spec.zone,
            provider_id=status.provider_id,
            infrastructure_ref=ContractReference(
                api_group=INFRASTRUCTURE_GROUP, kind="VerdaMachine", name=meta.name
            ),
        ),
        status=MachineStatus(
            phase=_phase(node, is_node),
            node_ref=NodeReference(name=meta.name) if is_node else None,
            addresses=_addresses(node),
            conditions=(ready,) if ready is not None else (),
        ),
    )


def server_of(node: LegacyNode) -> VerdaMachine:
    meta, status = node.metadata, node.status
    server = find_condition(status.conditions, _SERVER_READY)
    conditions: tuple[Condition, ...] = ()
    if server is not None:
        conditions = (server, msgspec.structs.replace(server, type=READY))
    return VerdaMachine(
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            creation_timestamp=meta.creation_timestamp,
        ),
        spec=VerdaMachineSpec(
            flavor=node.spec.flavor,
            image=node.spec.image,
            provider_id=status.provider_id or None,
            availability_zone=node.spec.zone,
            port_pool_ref=_port_pool(node),
        ),
        status=VerdaMachineStatus(
            addresses=_addresses(node),
            server_id=status.server_id,
            server_state=status.server_state,
            port_id=status.port_id,
            conditions=conditions,
        ),
    )


def _port_pool(node: LegacyNode) -> LocalReference | None:
    """Of a node with a reserved address."""
    if node.spec.slot is None or node.spec.pool is None:
        return None
    return LocalReference(name=nodepool_name(node.spec.cluster_name, node.spec.pool))


def _phase(node: LegacyNode, is_node: bool) -> str:
    if node.deleting:
        return "Deleting"
    if is_node:
        return "Running"
    return "Provisioned" if node.status.server_state == "ACTIVE" else "Provisioning"


def _addresses(node: LegacyNode) -> tuple[MachineAddress, ...]:
    if not node.status.address:
        return ()
    return (
        MachineAddress(type="Hostname", address=node.metadata.name),
        MachineAddress(type="InternalIP", address=node.status.address),
    )


def _ready(node: LegacyNode) -> bool:
    ready = find_condition(node.status.conditions, READY)
    return ready is not None and ready.status == "True"
