"""Static addresses in requests: which ones a pool may have, and what a change makes of its slots.

The cloud is asked with the caller's own token. Reserving an address is the provider's work; what
somebody else takes meanwhile is then told in the conditions.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool, NodePoolSpec, StaticIPSpec
from vks.resources.verdaport import SlotSpec, VerdaPort
from vks.service.api.auth import CallerCloud
from vks.service.api.findings import Findings
from vks.service.api.infrastructure import find_infrastructure, find_port_pool
from vks.service.api.pool_models import NodePoolCreate
from vks.service.api.pool_requests import initial_size
from vks.service.api.problems import of_cloud
from vks.service.api.regions import Region
from vks.service.api.static_ip_models import StaticIP
from vks.verda.errors import CloudError
from vks.verda.network import Subnet


@dataclass(frozen=True)
class Addresses:
    """The subnets of a cluster's network, and who has which address in it. `known` is False when
    the network is yet to be made."""

    known: bool = False
    subnets: tuple[Subnet, ...] = ()
    taken: dict[str, str] = field(default_factory=dict)

    def subnet(self, reference: str | None) -> Subnet | None:
        """By id or name; without one the network's first."""
        if reference is None:
            return next((s for s in self.subnets if s.ip_version == 4), None)
        return next((s for s in self.subnets if reference in (s.id, s.name)), None)


NO_ADDRESSES = Addresses()


async def read_addresses(cloud: CallerCloud, network_id: str | None) -> Addresses:
    """What is known of the network. Raises Problem."""
    if network_id is None:
        return NO_ADDRESSES
    try:
        subnets, ports = await asyncio.gather(cloud.subnets(network_id), cloud.ports(network_id))
    except CloudError as error:
        raise of_cloud(error) from error
    taken = {ip.ip_address: f"port {port.id}" for port in ports for ip in port.fixed_ips}
    return Addresses(True, tuple(sorted(subnets, key=lambda s: s.id)), taken)


async def network_of(region: Region, cluster: ManagedCluster) -> str | None:
    """The id of the cluster's network, None while it does not exist."""
    given = cluster.spec.network.network_id
    if given is not None:
        return given
    infrastructure = await find_infrastructure(region, cluster)
    return (infrastructure.status.network.network_id or None) if infrastructure else None


async def reserve_of_others(
    region: Region, namespace: str, network_id: str | None, cluster: str, addresses: Addresses
) -> Addresses:
    """`addresses` with what other pools on the network are to have and may not have reserved."""
    pools = (await region.client.list(NodePool, namespace)).items
    clusters = (await region.client.list(ManagedCluster, namespace)).items
    same = {c.metadata.name for c in clusters if c.spec.network.network_id == network_id}
    wanted = {
        slot.address: f"pool {pool.spec.pool_name} of cluster {pool.spec.cluster_name}"
        for pool in pools
        if pool.spec.static_ip is not None and pool.spec.cluster_name in {*same, cluster}
        for slot in pool.spec.static_ip.slots
        if slot.address is not None
    }
    return Addresses(addresses.known, addresses.subnets, {**wanted, **addresses.taken})


async def slots_of(region: Region, cluster: ManagedCluster, pool: str) -> dict[str, VerdaPort]:
    """The ports of a pool by the name of their slot. Raises ApiError."""
    found = await find_port_pool(region, cluster, pool)
    return found.ports if found is not None else {}


def slots_asked_for(request: StaticIP) -> list[SlotSpec]:
    """The slots of a new pool, numbered from 1."""
    if request.slots is not None:
        asked = [(slot.address, slot.zone) for slot in request.slots]
    elif request.addresses is not None:
        asked = [(address, None) for address in request.addresses]
    else:
        asked = [(None, None)] * (request.count or 0)
    return [
        SlotSpec(name=str(number), address=address, zone=zone)
        for number, (address, zone) in enumerate(asked, 1)
    ]


def with_addresses(
    spec: NodePoolSpec, request: StaticIP | None, addresses: Addresses
) -> NodePoolSpec:
    """The spec with the addresses of a request that has been checked."""
    if request is None:
        return spec
    subnet = addresses.subnet(request.subnet) if addresses.known else None
    static = StaticIPSpec(
        subnet_id=subnet.id if subnet is not None else None, slots=tuple(slots_asked_for(request))
    )
    return msgspec.structs.replace(spec, static_ip=static)


def check_static_ip(
    prefix: str,
    request: StaticIP,
    replicas: int,
    zones: Sequence[str],
    addresses: Addresses,
    found: Findings,
) -> None:
    """Finds what is wrong with a new pool's addresses. `prefix` is the path of `staticIP`."""
    subnet = check_slots(prefix, request, zones, addresses, found)
    slots = slots_asked_for(request)
    check_enough(f"{prefix}.{request.form}", slots, replicas, found)
    if subnet is not None:
        _check_room(f"{prefix}.{request.form}", slots, subnet, addresses, found)


def check_slots(
    prefix: str, request: StaticIP, zones: Sequence[str], addresses: Addresses, found: Findings
) -> Subnet | None:
    """Whether each slot can be had; the subnet that they are in, if it is known."""
    slots = slots_asked_for(request)
    subnet = _check_subnet(prefix, request, addresses, found)
    for index, slot in enumerate(slots):
        name = _item(prefix, request, index)
        if slot.zone is not None and slot.zone not in zones:
            found.bad(f"{name}.zone", f"the pool is not in zone {slot.zone!r}")
        if slot.address is not None and subnet is not None:
            at = f"{name}.address" if request.slots is not None else name
            _check_address(at, slot.address, subnet, addresses.taken, found)
    _check_duplicates(prefix, request, slots, found)
    return subnet


def check_new_pools(
    pools: Sequence[tuple[str, NodePoolCreate]], offered: Sequence[str], addresses: Addresses
) -> Callable[[Findings], None]:
    """The check of the static addresses of new pools, by the path of each in the request. They
    may not take each other's."""

    def check(found: Findings) -> None:
        taken = dict(addresses.taken)
        for prefix, pool in pools:
            if pool.static_ip is None:
                continue
            seen = Addresses(addresses.known, addresses.subnets, taken)
            path = f"{prefix}staticIP"
            zones = pool.zones or offered
            check_static_ip(path, pool.static_ip, largest(pool), zones, seen, found)
            own = [slot.address for slot in slots_asked_for(pool.static_ip) if slot.address]
            taken |= {address: f"pool {pool.name}" for address in own}

    return check


def largest(request: NodePoolCreate) -> int:
    """How many nodes a new pool may have."""
    return request.autoscaling.max if request.autoscaling else initial_size(request)


def check_enough(field_: str, slots: Sequence[SlotSpec], replicas: int, found: Findings) -> None:
    """Every node needs a slot."""
    if len(slots) < replicas:
        found.bad(field_, f"{replicas} nodes need {replicas} slots, there are {len(slots)}")


def _check_subnet(
    prefix: str, request: StaticIP, addresses: Addresses, found: Findings
) -> Subnet | None:
    chosen = any(slot.address is not None for slot in slots_asked_for(request))
    if not addresses.known:
        later = "the cluster's network does not exist yet"
        if request.subnet is not None:
            found.bad(f"{prefix}.subnet", f"{later}: leave it out, or name network.networkId")
        if chosen:
            found.bad(
                f"{prefix}.{request.form}",
                f"{later}: give a count, or name network.networkId to choose addresses",
            )
        return None
    subnet = addresses.subnet(request.subnet)
    if subnet is None:
        found.unknown(f"{prefix}.subnet", f"the cluster's network has no subnet {request.subnet!r}")
    return subnet


def _check_address(
    name: str, address: str, subnet: Subnet, taken: dict[str, str], found: Findings
) -> None:
    network = ipaddress.ip_network(subnet.cidr)
    ip = ipaddress.ip_address(address)
    if ip not in network:
        found.bad(name, f"{address} is not in subnet {subnet.id} ({subnet.cidr})")
    elif ip in (network.network_address, network.broadcast_address) or address == subnet.gateway_ip:
        found.bad(name, f"{address} is not for nodes: network, gateway or broadcast address")
    elif address in taken:
        found.bad(name, f"{address} is used by {taken[address]}")


def _check_duplicates(
    prefix: str, request: StaticIP, slots: Iterable[SlotSpec], found: Findings
) -> None:
    seen: set[str] = set()
    for index, slot in enumerate(slots):
        if slot.address is not None and slot.address in seen:
            found.bad(_item(prefix, request, index), f"{slot.address} is named twice")
        seen.add(slot.address or "")


def _check_room(
    name: str, slots: Iterable[SlotSpec], subnet: Subnet, addresses: Addresses, found: Findings
) -> None:
    network = ipaddress.ip_network(subnet.cidr)
    usable = network.num_addresses - 3  # network, broadcast, gateway
    used = sum(
        ipaddress.ip_address(ip) in network and ip != subnet.gateway_ip for ip in addresses.taken
    )
    wanted = sum(slot.address is None for slot in slots)
    if wanted > usable - used:
        found.bad(name, f"subnet {subnet.cidr} has {max(0, usable - used)} free addresses")


def _item(prefix: str, request: StaticIP, index: int) -> str:
    return f"{prefix}.{request.form}" + ("" if request.form == "count" else f".{index}")
