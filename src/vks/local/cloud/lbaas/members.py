"""Members of pools, with the health that the data plane sees."""

from __future__ import annotations

from collections.abc import Mapping

from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, conflict
from vks.local.cloud.http.router import Route
from vks.local.cloud.lbaas.common import (
    NAME,
    PORT,
    body_of,
    changed,
    find_lb,
    find_pool,
    missing,
    reserve,
    view_of,
)
from vks.local.cloud.lbaas.tables import MEMBERS, Member, Pool
from vks.local.loadbalancer import OperatingStatus

_WEIGHT = {"type": "integer", "minimum": 0, "maximum": 256}
_STATE = {"enum": ["ENABLED", "DRAINING", "DISABLED"]}
_CREATE = {
    "name": NAME,
    "address": {"type": "string", "format": "ipv4"},
    "port": PORT,
    "zone": {"type": ["string", "null"]},
    "weight": _WEIGHT,
    "admin_state": _STATE,
}
_UPDATE = {"weight": _WEIGHT, "admin_state": _STATE}
_SHOWN = (
    "id",
    "pool_id",
    "name",
    "address",
    "port",
    "zone",
    "weight",
    "admin_state",
    "created_at",
)


def _view(pool: Pool, member: Member, seen: Mapping[str, OperatingStatus]) -> Json:
    """Until the data plane has heard of a member, it is not in service."""
    unknown = OperatingStatus.OFFLINE if pool.health_monitor else OperatingStatus.NO_MONITOR
    status = seen.get(member.id, unknown)
    return {**view_of(member, *_SHOWN), "operating_status": status.value}


def _member(call: Call, pool: Pool) -> Member:
    member_id = call.params["member_id"]
    member = MEMBERS.get(call.db, id=member_id, pool_id=pool.id)
    if member is None:
        raise missing("Member", member_id)
    return member


async def list_members(call: Call) -> Reply:
    pool = find_pool(call, call.params["pool_id"])
    seen = await call.cloud.balancers.status(pool.loadbalancer_id)
    rows = MEMBERS.find(call.db, pool_id=pool.id)
    return Reply(body={"members": [_view(pool, row, seen) for row in rows]})


async def show_member(call: Call) -> Reply:
    pool = find_pool(call, call.params["pool_id"])
    seen = await call.cloud.balancers.status(pool.loadbalancer_id)
    return Reply(body={"member": _view(pool, _member(call, pool), seen)})


def create_member(call: Call) -> Reply:
    given = body_of(call, "member", _CREATE, ("name", "address", "port"))
    pool = find_pool(call, call.params["pool_id"], change=True)
    zone = given.get("zone")
    if zone is not None and zone not in call.cloud.settings.zones:
        raise bad_request(f"member.zone: unknown zone {zone}")
    if MEMBERS.get(call.db, pool_id=pool.id, address=given["address"], port=given["port"]):
        raise conflict(f"Pool {pool.id} already has {given['address']}:{given['port']}.")
    project_id = find_lb(call, pool.loadbalancer_id).project_id
    reserve(call.db, project_id, "members")
    member = Member(
        id=new_uuid(),
        pool_id=pool.id,
        name=given["name"],
        address=given["address"],
        port=given["port"],
        zone=zone,
        weight=given.get("weight", 1),
        admin_state=given.get("admin_state", "ENABLED"),
        created_at=seconds(),
    )
    MEMBERS.insert(call.db, member)
    changed(call, pool.loadbalancer_id)
    return Reply(201, {"member": _view(pool, member, {})})


async def update_member(call: Call) -> Reply:
    given = body_of(call, "member", _UPDATE)
    with call.db.transaction():
        pool = find_pool(call, call.params["pool_id"], change=True)
        member = MEMBERS.update(call.db, _member(call, pool), **given)
        changed(call, pool.loadbalancer_id)
    seen = await call.cloud.balancers.status(pool.loadbalancer_id)
    return Reply(body={"member": _view(pool, member, seen)})


def delete_member(call: Call) -> Reply:
    pool = find_pool(call, call.params["pool_id"], change=True)
    MEMBERS.delete(call.db, id=_member(call, pool).id)
    changed(call, pool.loadbalancer_id)
    return Reply(204)


_PATH = "/v1/pools/{pool_id}/members"
ROUTES = [
    Route("GET", _PATH, list_members),
    Route("POST", _PATH, create_member, Access.MEMBER, "member:create"),
    Route("GET", _PATH + "/{member_id}", show_member),
    Route("PATCH", _PATH + "/{member_id}", update_member, Access.MEMBER, "member:update"),
    Route("DELETE", _PATH + "/{member_id}", delete_member, Access.MEMBER, "member:delete"),
]
