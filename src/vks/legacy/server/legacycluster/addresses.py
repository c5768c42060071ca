"""Phase: the reserved addresses of pools. Each is a port that one node after the other boots on."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from vks.resources.legacycluster import LegacyCluster, LegacySlot, slot_owner
from vks.resources.legacynode import LegacyNode
from vks.resources.nodepool import StaticIPSpec
from vks.resources.verdacluster import NetworkStatus
from vks.resources.verdaport import SlotSpec
from vks.runtime.result import Waiting
from vks.verda.errors import Conflict, InvalidRequest
from vks.verda.network import NetworkClient, PortRequest

#: Seconds after which an address that is taken or not allowed is asked for again.
BLOCKED_POLL = 10.0
POLL = 1.0

Slots = tuple[LegacySlot, ...]


def recorded(cluster: LegacyCluster) -> Slots:
    """The slots that there are and those that are to come, by pool and name."""
    known = {(slot.pool, slot.name): slot for slot in cluster.status.slots}
    for pool, name in cluster.wanted_slots.keys() - known.keys():
        known[pool, name] = LegacySlot(pool=pool, name=name)
    return tuple(known[key] for key in sorted(known))


async def keep_slots(
    client: NetworkClient,
    cluster: LegacyCluster,
    network: NetworkStatus,
    nodes: Sequence[LegacyNode],
) -> tuple[Slots, Waiting | None]:
    """Reserves what is on record and lacks its port, and gives back what nobody wants or has. A
    slot that is new here is only put on record. What an address waits for that cannot be had or
    given back comes second: the others do not wait for it. Raises CloudError."""
    slots = cluster.wanted_slots
    in_use = {(node.spec.pool, node.spec.slot) for node in nodes}
    on_record = {(slot.pool, slot.name) for slot in cluster.status.slots}
    kept: list[LegacySlot] = []
    blocked: Waiting | None = None
    for slot in recorded(cluster):
        key = (slot.pool, slot.name)
        try:
            if key not in slots and key not in in_use:
                await _give_back(client, cluster, slot)
                continue
            if key in slots and key in on_record and not slot.port_id:
                slot = await _reserve(client, cluster, network, slot, *slots[key])
        except Waiting as waiting:
            blocked = blocked or waiting
        kept.append(slot)
    return tuple(kept), blocked


async def remove_slots(client: NetworkClient, cluster: LegacyCluster) -> None:
    """Of a cluster without nodes. Raises CloudError, and Waiting until the cloud has let go."""
    for slot in recorded(cluster):
        await _give_back(client, cluster, slot)


async def _reserve(
    client: NetworkClient,
    cluster: LegacyCluster,
    network: NetworkStatus,
    slot: LegacySlot,
    static: StaticIPSpec,
    spec: SlotSpec,
) -> LegacySlot:
    subnet = static.subnet_id or network.subnet_id
    request = PortRequest(
        name=f"{cluster.metadata.name}.{slot.pool}.{slot.name}",
        network_id=network.network_id,
        subnet_id=subnet,
        security_group_ids=(network.security_group_id,),
        allowed_cidrs=(cluster.spec.network.pod_cidr,),
        ip_address=spec.address,
    )
    owner = slot_owner(cluster.metadata.uid, slot.pool, slot.name)
    try:
        port = await client.create_port(owner, request)
    except Conflict as error:
        raise Waiting("AddressInUse", error.message, BLOCKED_POLL) from error
    except InvalidRequest as error:
        raise Waiting("AddressInvalid", error.message, BLOCKED_POLL) from error
    return msgspec.structs.replace(
        slot, port_id=port.id, address=port.ip, mac_address=port.mac_address, subnet_id=subnet
    )


async def _give_back(client: NetworkClient, cluster: LegacyCluster, slot: LegacySlot) -> None:
    for port in await client.ports_of(slot_owner(cluster.metadata.uid, slot.pool, slot.name)):
        try:
            await client.delete_port(port.id)
        except Conflict as error:
            raise Waiting("PortInUse", error.message, POLL) from error
