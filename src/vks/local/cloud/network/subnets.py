"""Subnets."""

from __future__ import annotations

import ipaddress
from typing import Any

from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.router import Route
from vks.local.cloud.network.addresses import Net, default_pools
from vks.local.cloud.network.attributes import (
    COMMON,
    FLAG,
    NOT_GIVEN,
    REQUIRED,
    UUID,
    Attribute,
    Body,
)
from vks.local.cloud.network.errors import in_use, invalid_input, malformed, missing
from vks.local.cloud.network.listing import (
    base_view,
    candidates,
    find_owned,
    find_visible,
    list_reply,
    show_reply,
    touch,
    visible,
)
from vks.local.cloud.network.quotas import reserve
from vks.local.cloud.network.subnet_pools import default_pool, take_cidr
from vks.local.cloud.network.tables import (
    ALLOCATIONS,
    NETWORKS,
    SUBNET_POOLS,
    SUBNETS,
    Network,
    Subnet,
)

_IP = {"type": "string", "format": "ip"}
_BODY = Body(
    "subnet",
    {
        **COMMON,
        "network_id": Attribute(UUID, REQUIRED, put=False),
        "ip_version": Attribute({"type": "integer", "enum": [4, 6]}, REQUIRED, put=False),
        "cidr": Attribute({"type": ["string", "null"]}, NOT_GIVEN, put=False),
        "gateway_ip": Attribute({"type": ["string", "null"], "format": "ip"}),
        "enable_dhcp": Attribute(FLAG, True),
        "prefixlen": Attribute({"type": "integer", "minimum": 0, "maximum": 128}, put=False),
        "allocation_pools": Attribute(
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["start", "end"],
                    "properties": {"start": _IP, "end": _IP},
                },
            }
        ),
        "dns_nameservers": Attribute(
            {"type": "array", "uniqueItems": True, "maxItems": 5, "items": _IP}, []
        ),
        "host_routes": Attribute(
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["destination", "nexthop"],
                    "properties": {
                        "destination": {"type": "string", "format": "cidr"},
                        "nexthop": _IP,
                    },
                },
            },
            [],
        ),
        "subnetpool_id": Attribute({"type": ["string", "null"], "format": "uuid"}, put=False),
        "use_default_subnetpool": Attribute(FLAG, False, put=False),
    },
)


def view(call: Call, subnet: Subnet) -> Json:
    return {
        **base_view(subnet),
        "network_id": subnet.network_id,
        "ip_version": subnet.ip_version,
        "cidr": subnet.cidr,
        "gateway_ip": subnet.gateway_ip,
        "enable_dhcp": subnet.enable_dhcp,
        "allocation_pools": subnet.allocation_pools,
        "dns_nameservers": subnet.dns_nameservers,
        "host_routes": subnet.host_routes,
        "subnetpool_id": subnet.subnetpool_id,
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
        "service_types": [],
        "segment_id": None,
    }


def _shared_networks(call: Call) -> list[Subnet]:
    """The caller's subnets and those of networks that others share."""
    if call.caller.is_admin:
        return candidates(call, SUBNETS)
    shared = [row.id for row in NETWORKS.find(call.db) if visible(call, row)]
    found = SUBNETS.find(call.db, network_id=shared)
    return [*found, *(row for row in candidates(call, SUBNETS) if row not in found)]


def list_subnets(call: Call) -> Reply:
    return list_reply(call, "subnets", _shared_networks(call), view)


def _visible(call: Call) -> Subnet:
    subnet_id = call.params["subnet_id"]
    subnet = SUBNETS.get(call.db, id=subnet_id)
    network = NETWORKS.get(call.db, id=subnet.network_id) if subnet else None
    if subnet is None or network is None or not (visible(call, subnet) or visible(call, network)):
        raise missing("subnet", subnet_id)
    return subnet


def show_subnet(call: Call) -> Reply:
    return show_reply(call, "subnet", view(call, _visible(call)))


def _cidr(call: Call, given: Json) -> tuple[Net, str | None]:
    """The subnet's range and the pool that it comes from."""
    pool_id = given["subnetpool_id"]
    if given["use_default_subnetpool"]:
        pool = default_pool(call.db, given["ip_version"])
        if pool is None:
            raise invalid_input(
                f"No default subnetpool found for IPv{given['ip_version']}", "BadRequest"
            )
    elif isinstance(pool_id, str):
        pool = find_visible(call, SUBNET_POOLS, "subnetpool", pool_id)
    else:
        if not isinstance(given["cidr"], str):
            raise invalid_input(
                "a subnetpool must be specified in the absence of a cidr", "BadRequest"
            )
        return _parse(given["cidr"]), None
    prefix = given["prefixlen"] if isinstance(given["prefixlen"], int) else None
    wanted = str(_parse(given["cidr"])) if isinstance(given["cidr"], str) else None
    return take_cidr(call.db, pool, prefix, wanted), pool.id


def _parse(text: str) -> Net:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as wrong:
        raise invalid_input(f"{text} is not in a CIDR format") from wrong


def _check_pools(pools: list[dict[str, str]], cidr: Net) -> list[dict[str, str]]:
    for pool in pools:
        start, end = ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"])
        if start not in cidr or end not in cidr or int(start) > int(end):
            raise malformed(
                f"The allocation pool {pool['start']}-{pool['end']} is not valid."
                if int(start) > int(end)
                else f"The allocation pool {pool['start']}-{pool['end']} spans beyond the subnet "
                f"cidr {cidr}."
            )
    return pools


def create_subnet(call: Call) -> Reply:
    given = _BODY.create(call)
    network: Network = find_owned(call, NETWORKS, "network", given["network_id"])
    reserve(call.db, "subnet", given["project_id"])
    cidr, pool_id = _cidr(call, given)
    if cidr.version != given["ip_version"]:
        raise invalid_input(f"'cidr': {cidr} does not match the ip_version '{given['ip_version']}'")
    for other in SUBNETS.find(call.db, network_id=network.id):
        if ipaddress.ip_network(other.cidr).overlaps(cidr):
            raise invalid_input(
                f"Requested subnet with cidr: {cidr} for network: {network.id} overlaps with "
                "another subnet"
            )
    gateway = given["gateway_ip"]
    if not isinstance(gateway, str) and gateway is not None:
        gateway = str(cidr[1])
    pools = given["allocation_pools"]
    moment = seconds()
    subnet = Subnet(
        id=new_uuid(),
        project_id=given["project_id"],
        name=given["name"],
        description=given["description"],
        created_at=moment,
        updated_at=moment,
        network_id=network.id,
        ip_version=given["ip_version"],
        cidr=str(cidr),
        gateway_ip=gateway,
        enable_dhcp=given["enable_dhcp"],
        allocation_pools=_check_pools(pools, cidr)
        if isinstance(pools, list)
        else default_pools(cidr, gateway),
        dns_nameservers=given["dns_nameservers"],
        host_routes=given["host_routes"],
        subnetpool_id=pool_id,
    )
    SUBNETS.insert(call.db, subnet)
    call.cloud.work.network(network.id)
    return show_reply(call, "subnet", view(call, subnet), 201)


def update_subnet(call: Call) -> Reply:
    given = _BODY.update(call)
    subnet = find_owned(call, SUBNETS, "subnet", call.params["subnet_id"])
    if "allocation_pools" in given:
        _check_pools(given["allocation_pools"], ipaddress.ip_network(subnet.cidr))
    changes: dict[str, Any] = {name: given[name] for name in given if name in SUBNETS.columns}
    subnet = touch(call.db, SUBNETS, subnet, **changes)
    call.cloud.work.network(subnet.network_id)
    return show_reply(call, "subnet", view(call, subnet))


def delete_subnet(call: Call) -> Reply:
    subnet = find_owned(call, SUBNETS, "subnet", call.params["subnet_id"])
    if ALLOCATIONS.count(call.db, subnet_id=subnet.id):
        raise in_use(
            "SubnetInUse",
            f"Unable to complete operation on subnet {subnet.id}: "
            "One or more ports have an IP allocation from this subnet.",
        )
    SUBNETS.delete(call.db, id=subnet.id)
    call.cloud.work.network(subnet.network_id)
    return Reply(204)


ROUTES = [
    Route("GET", "/v2.0/subnets", list_subnets),
    Route("POST", "/v2.0/subnets", create_subnet, Access.MEMBER, "create_subnet"),
    Route("GET", "/v2.0/subnets/{subnet_id}", show_subnet),
    Route("PUT", "/v2.0/subnets/{subnet_id}", update_subnet, Access.MEMBER, "update_subnet"),
    Route("DELETE", "/v2.0/subnets/{subnet_id}", delete_subnet, Access.MEMBER, "delete_subnet"),
]
