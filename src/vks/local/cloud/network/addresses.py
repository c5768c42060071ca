"""Address management: which addresses a subnet has, and which port holds which."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from vks.local.cloud.core.database import Database
from vks.local.cloud.http.call import Json
from vks.local.cloud.http.errors import bad_request, conflict
from vks.local.cloud.network.errors import malformed, missing
from vks.local.cloud.network.tables import ALLOCATIONS, SUBNETS, Allocation, Subnet

Address = IPv4Address | IPv6Address
Net = IPv4Network | IPv6Network

_ROUTER_OWNERS = ("network:router_interface", "network:router_gateway")


def default_pools(cidr: Net, gateway: str | None) -> list[dict[str, str]]:
    """All hosts of the subnet but its gateway, as one or two ranges."""
    first, last = cidr[1], cidr[-2 if cidr.version == 4 else -1]
    if gateway is None or ipaddress.ip_address(gateway) not in cidr:
        return [{"start": str(first), "end": str(last)}]
    hole = ipaddress.ip_address(gateway)
    pools = []
    if hole > first:  # type: ignore[operator]
        pools.append({"start": str(first), "end": str(hole - 1)})
    if hole < last:  # type: ignore[operator]
        pools.append({"start": str(hole + 1), "end": str(last)})
    return pools


def assign(
    db: Database, port_id: str, network_id: str, wanted: list[Json] | None, owner: str = ""
) -> list[dict[str, str]]:
    """Give the port its addresses; `wanted` is `fixed_ips` of the request, None: one of v4.

    Raises the ApiErrors that Neutron's clients know: address taken (409), not in the network
    or subnet (400), none left (409), unknown subnet (404).
    """
    subnets = SUBNETS.find(db, network_id=network_id)
    if wanted is None:
        automatic = [subnet for subnet in subnets if subnet.ip_version == 4][:1] or subnets[:1]
        return [_next_free(db, port_id, network_id, automatic)] if automatic else []
    return [_one(db, port_id, network_id, subnets, request, owner) for request in wanted]


def release(db: Database, port_id: str) -> None:
    ALLOCATIONS.delete(db, port_id=port_id)


def _one(
    db: Database,
    port_id: str,
    network_id: str,
    subnets: list[Subnet],
    request: Json,
    owner: str,
) -> dict[str, str]:
    address, subnet_id = request.get("ip_address"), request.get("subnet_id")
    if subnet_id:
        chosen = next((subnet for subnet in subnets if subnet.id == subnet_id), None)
        if chosen is None:
            if SUBNETS.get(db, id=subnet_id) is None:
                raise missing("subnet", subnet_id)
            raise bad_request(
                "Invalid input for operation: Failed to create port on network "
                f"{network_id}, because fixed_ips included invalid subnet {subnet_id}.",
                kind="InvalidInput",
            )
        if not address:
            return _next_free(db, port_id, network_id, [chosen])
        if ipaddress.ip_address(address) not in ipaddress.ip_network(chosen.cidr):
            raise bad_request(
                f"IP address {address} is not a valid IP for the specified subnet.",
                kind="InvalidIpForSubnet",
            )
        return _take(db, port_id, chosen, address, owner)
    if not address:
        raise malformed("IP allocation requires subnet_id or ip_address.")
    for subnet in subnets:
        if ipaddress.ip_address(address) in ipaddress.ip_network(subnet.cidr):
            return _take(db, port_id, subnet, address, owner)
    raise bad_request(
        f"IP address {address} is not a valid IP for any of the subnets on the specified network.",
        kind="InvalidIpForNetwork",
    )


def _take(db: Database, port_id: str, subnet: Subnet, address: str, owner: str) -> dict[str, str]:
    cidr = ipaddress.ip_network(subnet.cidr)
    reserved = {cidr.network_address, cidr.broadcast_address} if cidr.version == 4 else set()
    if ipaddress.ip_address(address) in reserved:
        raise bad_request(
            f"IP address {address} is not a valid IP for the specified subnet.",
            kind="InvalidIpForSubnet",
        )
    reserved_gateway = address == subnet.gateway_ip and owner not in _ROUTER_OWNERS
    if reserved_gateway or ALLOCATIONS.get(db, subnet_id=subnet.id, ip_address=address):
        raise conflict(
            f"IP address {address} already allocated in subnet {subnet.id}",
            kind="IpAddressAlreadyAllocated",
        )
    ALLOCATIONS.insert(db, Allocation(subnet_id=subnet.id, ip_address=address, port_id=port_id))
    return {"subnet_id": subnet.id, "ip_address": address}


def _next_free(
    db: Database, port_id: str, network_id: str, subnets: list[Subnet]
) -> dict[str, str]:
    """The first free address behind the one given out last.

    Going round instead of starting over keeps an address that was just released out of use
    for a while: neighbours still have its old MAC in their caches.
    """
    for subnet in subnets:
        taken = {found for (found,) in ALLOCATIONS.pick(db, "ip_address", subnet_id=subnet.id)}
        for address in _from(subnet):
            if str(address) not in taken and str(address) != subnet.gateway_ip:
                SUBNETS.update(db, subnet, last_address=str(address))
                return _take(db, port_id, subnet, str(address), "")
    raise conflict(
        f"No more IP addresses available on network {network_id}.",
        kind="IpAddressGenerationFailure",
    )


def _from(subnet: Subnet) -> Iterator[Address]:
    """The pools' addresses, beginning behind `last_address` and wrapping around."""
    last = ipaddress.ip_address(subnet.last_address) if subnet.last_address else None
    ranges = [
        (ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"]))
        for pool in subnet.allocation_pools
    ]
    for behind in (True, False):
        for start, end in ranges:
            first = start
            if last is not None and behind and int(last) >= int(start):
                first = last + 1
            for number in range(int(first), int(end) + 1):
                yield type(start)(number)
        if last is None:
            return
