"""Subnet pools: where subnets get ranges that overlap nobody's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request
from vks.local.cloud.http.router import Route
from vks.local.cloud.network.addresses import Net
from vks.local.cloud.network.attributes import COMMON, FLAG, NOT_GIVEN, REQUIRED, Attribute, Body
from vks.local.cloud.network.errors import in_use, invalid_input
from vks.local.cloud.network.listing import (
    base_view,
    candidates,
    find_owned,
    find_visible,
    list_reply,
    show_reply,
    touch,
)
from vks.local.cloud.network.quotas import reserve
from vks.local.cloud.network.tables import SUBNET_POOLS, SUBNETS, SubnetPool

_LENGTH = {"type": "integer", "minimum": 0, "maximum": 128}
_BODY = Body(
    "subnetpool",
    {
        **COMMON,
        "prefixes": Attribute(
            {"type": "array", "minItems": 1, "items": {"type": "string", "format": "cidr"}},
            REQUIRED,
        ),
        "default_prefixlen": Attribute(_LENGTH),
        "min_prefixlen": Attribute(_LENGTH),
        "max_prefixlen": Attribute(_LENGTH),
        "is_default": Attribute(FLAG, False, admin=True),
        "shared": Attribute(FLAG, False, admin=True, put=False),
        "address_scope_id": Attribute({"type": "null"}, None),
    },
)


def view(call: Call, pool: SubnetPool) -> Json:
    return {
        **base_view(pool),
        "prefixes": pool.prefixes,
        "default_prefixlen": str(pool.default_prefixlen),  # strings, as Neutron has them
        "min_prefixlen": str(pool.min_prefixlen),
        "max_prefixlen": str(pool.max_prefixlen),
        "default_quota": None,
        "ip_version": ipaddress.ip_network(pool.prefixes[0]).version,
        "is_default": pool.is_default,
        "shared": pool.shared,
        "address_scope_id": None,
    }


def default_pool(db: Database, version: int) -> SubnetPool | None:
    for pool in SUBNET_POOLS.find(db, is_default=True):
        if ipaddress.ip_network(pool.prefixes[0]).version == version:
            return pool
    return None


def take_cidr(db: Database, pool: SubnetPool, prefix: int | None, wanted: str | None) -> Net:
    """A free range of the pool, or the wanted one; ApiError 400 when there is none.

    As with addresses the search goes round, so that the range of a network that was just
    deleted is not at once another's.
    """
    taken = [ipaddress.ip_network(row.cidr) for row in SUBNETS.find(db, subnetpool_id=pool.id)]
    if wanted is not None:
        cidr = ipaddress.ip_network(wanted, strict=False)
        inside = any(_within(cidr, ipaddress.ip_network(outer)) for outer in pool.prefixes)
        if not inside or any(cidr.overlaps(other) for other in taken):
            raise _exhausted("Cannot allocate requested subnet from the available set of prefixes")
        return cidr
    length = pool.default_prefixlen if prefix is None else prefix
    if not pool.min_prefixlen <= length <= pool.max_prefixlen:
        raise bad_request(
            f"Unable to allocate subnet with prefix length {length}, "
            f"{'minimum' if length < pool.min_prefixlen else 'maximum'} allowed prefix is "
            f"{pool.min_prefixlen if length < pool.min_prefixlen else pool.max_prefixlen}.",
            kind="MinPrefixSubnetAllocationError"
            if length < pool.min_prefixlen
            else "MaxPrefixSubnetAllocationError",
        )
    for cidr in _from(pool, length):
        if not any(cidr.overlaps(other) for other in taken):
            SUBNET_POOLS.update(db, pool, last_cidr=str(cidr))
            return cidr
    raise _exhausted(f"Insufficient prefix space to allocate subnet size /{length}")


def _within(inner: Net, outer: Net) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _exhausted(reason: str) -> Exception:
    return bad_request(f"Failed to allocate subnet: {reason}.", kind="SubnetAllocationError")


def _from(pool: SubnetPool, length: int) -> Iterator[Net]:
    last = ipaddress.ip_network(pool.last_cidr) if pool.last_cidr else None
    for behind in (True, False):
        for text in pool.prefixes:
            prefix = ipaddress.ip_network(text)
            if length < prefix.prefixlen:
                continue
            for cidr in prefix.subnets(new_prefix=length):
                if not behind or last is None or int(cidr[0]) > int(last[0]):
                    yield cidr


def list_pools(call: Call) -> Reply:
    return list_reply(call, "subnetpools", candidates(call, SUBNET_POOLS), view)


def show_pool(call: Call) -> Reply:
    pool = find_visible(call, SUBNET_POOLS, "subnetpool", call.params["pool_id"])
    return show_reply(call, "subnetpool", view(call, pool))


def create_pool(call: Call) -> Reply:
    given = _BODY.create(call)
    reserve(call.db, "subnetpool", given["project_id"])
    networks = [ipaddress.ip_network(text, strict=False) for text in given["prefixes"]]
    if len({network.version for network in networks}) > 1:
        raise invalid_input("The prefixes of a subnet pool must have one IP version")
    if given["is_default"] and default_pool(call.db, networks[0].version):
        raise invalid_input("A default subnetpool for this IP family already exists")
    lengths: dict[str, Any] = {
        name: given[name] if given[name] is not NOT_GIVEN else fallback
        for name, fallback in (
            ("default_prefixlen", given["min_prefixlen"]),
            ("min_prefixlen", 8),
            ("max_prefixlen", networks[0].max_prefixlen),
        )
    }
    if lengths["default_prefixlen"] is NOT_GIVEN:
        lengths["default_prefixlen"] = lengths["min_prefixlen"]
    moment = seconds()
    pool = SubnetPool(
        id=new_uuid(),
        project_id=given["project_id"],
        name=given["name"],
        description=given["description"],
        created_at=moment,
        updated_at=moment,
        prefixes=[str(network) for network in networks],
        is_default=given["is_default"],
        shared=given["shared"],
        **lengths,
    )
    SUBNET_POOLS.insert(call.db, pool)
    return show_reply(call, "subnetpool", view(call, pool), 201)


def update_pool(call: Call) -> Reply:
    given = _BODY.update(call)
    pool = find_owned(call, SUBNET_POOLS, "subnetpool", call.params["pool_id"])
    changes = {name: given[name] for name in given if name in SUBNET_POOLS.columns}
    pool = touch(call.db, SUBNET_POOLS, pool, **changes)
    return show_reply(call, "subnetpool", view(call, pool))


def delete_pool(call: Call) -> Reply:
    pool = find_owned(call, SUBNET_POOLS, "subnetpool", call.params["pool_id"])
    if SUBNETS.count(call.db, subnetpool_id=pool.id):
        raise in_use(
            "SubnetPoolDeleteError",
            f"Unable to delete subnet pool: Subnet pool {pool.id} has existing allocations.",
        )
    SUBNET_POOLS.delete(call.db, id=pool.id)
    return Reply(204)


ROUTES = [
    Route("GET", "/v2.0/subnetpools", list_pools),
    Route("POST", "/v2.0/subnetpools", create_pool, Access.MEMBER, "create_subnetpool"),
    Route("GET", "/v2.0/subnetpools/{pool_id}", show_pool),
    Route("PUT", "/v2.0/subnetpools/{pool_id}", update_pool, Access.MEMBER, "update_subnetpool"),
    Route("DELETE", "/v2.0/subnetpools/{pool_id}", delete_pool, Access.MEMBER, "delete_subnetpool"),
]
