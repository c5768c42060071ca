"""The reserved addresses of the legacy provisioner's pools, shown as the port pools that they would
be. See `view`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from vks.kube.objects import Condition, ObjectMeta, find_condition
from vks.resources.contract import READY
from vks.resources.fields import LocalReference
from vks.resources.legacycluster import LegacyCluster, LegacyPoolSpec, LegacySlot
from vks.resources.legacynode import LegacyNode
from vks.resources.nodepool import StaticIPSpec, nodepool_name
from vks.resources.verdaport import (
    SlotClaim,
    SlotSpec,
    SlotState,
    VerdaPort,
    VerdaPortPool,
    VerdaPortPoolSpec,
    VerdaPortPoolStatus,
    VerdaPortSpec,
    VerdaPortStatus,
    port_name,
)


class PortPool(NamedTuple):
    """`ports` by the name of their slot."""

    pool: VerdaPortPool
    ports: dict[str, VerdaPort]


def port_pools_of(cluster: LegacyCluster, nodes: Iterable[LegacyNode]) -> list[PortPool]:
    """Of the pools that have reserved addresses, by name."""
    known = list(nodes)
    pools = sorted(cluster.spec.node_pools, key=lambda pool: pool.name)
    return [
        _port_pool(cluster, pool, pool.static_ip, [n for n in known if n.spec.pool == pool.name])
        for pool in pools
        if pool.static_ip is not None
    ]


def _port_pool(
    cluster: LegacyCluster, pool: LegacyPoolSpec, static: StaticIPSpec, nodes: list[LegacyNode]
) -> PortPool:
    name = nodepool_name(cluster.metadata.name, pool.name)
    reserved = {slot.name: slot for slot in cluster.status.slots if slot.pool == pool.name}
    holders = {node.spec.slot: node for node in nodes}
    ports = {
        slot.name: _port(cluster, name, slot, reserved.get(slot.name), holders.get(slot.name))
        for slot in static.slots
    }
    states = [port.status.state for port in ports.values()]
    return PortPool(
        VerdaPortPool(
            metadata=_metadata(cluster, name),
            spec=VerdaPortPoolSpec(
                cluster_name=cluster.metadata.name, subnet_id=static.subnet_id, slots=static.slots
            ),
            status=VerdaPortPoolStatus(
                total=len(ports),
                free=states.count("Free"),
                in_use=states.count("InUse"),
                conditions=(_ready(cluster, ports),),
            ),
        ),
        ports,
    )


def _metadata(cluster: LegacyCluster, name: str) -> ObjectMeta:
    meta = cluster.metadata
    return ObjectMeta(name=name, namespace=meta.namespace, generation=meta.generation)


def _port(
    cluster: LegacyCluster,
    pool: str,
    slot: SlotSpec,
    reserved: LegacySlot | None,
    holder: LegacyNode | None,
) -> VerdaPort:
    own = reserved or LegacySlot(pool=pool, name=slot.name)
    claim = None
    if holder is not None:
        meta = holder.metadata
        claim = SlotClaim(kind="VerdaMachine", name=meta.name, owner=meta.uid)
    return VerdaPort(
        metadata=_metadata(cluster, port_name(pool, slot.name)),
        spec=VerdaPortSpec(
            cluster_name=cluster.metadata.name,
            pool_ref=LocalReference(name=pool),
            address=slot.address,
            zone=slot.zone,
            claim=claim,
        ),
        status=VerdaPortStatus(
            state=_state(own, holder),
            port_id=own.port_id,
            address=own.address,
            mac_address=own.mac_address,
            subnet_id=own.subnet_id,
        ),
    )


def _state(slot: LegacySlot, holder: LegacyNode | None) -> SlotState:
    if not slot.port_id:
        return "Reserving"
    if holder is None:
        return "Free"
    if holder.metadata.deletion_timestamp:
        return "Releasing"
    return "InUse" if holder.status.server_id else "Claimed"


def _ready(cluster: LegacyCluster, ports: dict[str, VerdaPort]) -> Condition:
    """What one of them waits for, the cluster says."""
    missing = next((n for n, port in ports.items() if port.status.state == "Reserving"), None)
    network = find_condition(cluster.status.conditions, "NetworkReady")
    said = network.message if network is not None and network.status != "True" else ""
    return Condition(
        type=READY,
        status="True" if missing is None else "False",
        reason="Reserved" if missing is None else "Reserving",
        message="" if missing is None else f"slot {missing}: {said or 'not reserved yet'}",
        observed_generation=cluster.metadata.generation,
    )
