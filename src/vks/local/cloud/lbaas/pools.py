"""Pools and listeners."""

from __future__ import annotations

import msgspec

from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import ApiError, bad_request, conflict
from vks.local.cloud.http.router import Route
from vks.local.cloud.lbaas.common import (
    NAME,
    PORT,
    UUID,
    body_of,
    changed,
    find_lb,
    find_pool,
    missing,
    reserve,
    view_of,
)
from vks.local.cloud.lbaas.tables import (
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
    Listener,
    Monitor,
    Pool,
)

_POSITIVE = {"type": "integer", "minimum": 1}
_MONITOR: Json = {
    "type": ["object", "null"],
    "required": ["type"],
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["TCP", "HTTPS"]},
        "interval_ms": {"type": "integer", "minimum": 100},
        "timeout_ms": {"type": "integer", "minimum": 100},
        "rise": _POSITIVE,
        "fall": _POSITIVE,
        "path": {"type": ["string", "null"], "pattern": "^/"},
    },
}
_POOL = {
    "loadbalancer_id": UUID,
    "name": NAME,
    "algorithm": {"enum": ["ROUND_ROBIN", "LEAST_CONNECTIONS"]},
    "health_monitor": _MONITOR,
}
_LISTENER = {
    "loadbalancer_id": UUID,
    "name": NAME,
    "protocol": {"enum": ["TCP"]},
    "port": PORT,
    "pool_id": UUID,
}


def pool_view(call: Call, pool: Pool) -> Json:
    members = MEMBERS.find(call.db, pool_id=pool.id)
    monitor = msgspec.to_builtins(pool.health_monitor) if pool.health_monitor else None
    return {
        **view_of(pool, "id", "loadbalancer_id", "name", "algorithm", "created_at"),
        "health_monitor": monitor,
        "members": [{"id": member.id} for member in members],
    }


def listener_view(listener: Listener) -> Json:
    return view_of(
        listener, "id", "loadbalancer_id", "name", "protocol", "port", "pool_id", "created_at"
    )


def _own_lbs(call: Call) -> list[str]:
    """The load balancers whose children a list shows."""
    wanted = call.query.get("loadbalancer_id")
    where = {} if call.caller.is_admin and wanted else {"project_id": call.caller.project}
    return [lb.id for lb in LOAD_BALANCERS.find(call.db, **where) if wanted in (None, lb.id)]


def list_pools(call: Call) -> Reply:
    rows = POOLS.find(call.db, loadbalancer_id=_own_lbs(call))
    name = call.query.get("name")
    return Reply(body={"pools": [pool_view(call, r) for r in rows if name in (None, r.name)]})


def show_pool(call: Call) -> Reply:
    return Reply(body={"pool": pool_view(call, find_pool(call, call.params["pool_id"]))})


def create_pool(call: Call) -> Reply:
    given = body_of(call, "pool", _POOL, ("loadbalancer_id", "name", "algorithm"))
    lb = find_lb(call, given["loadbalancer_id"], change=True)
    reserve(call.db, lb.project_id, "pools")
    monitor = given.get("health_monitor")
    pool = Pool(
        id=new_uuid(),
        loadbalancer_id=lb.id,
        name=given["name"],
        algorithm=given["algorithm"],
        health_monitor=Monitor(**monitor) if monitor else None,
        created_at=seconds(),
    )
    POOLS.insert(call.db, pool)
    changed(call, lb.id)
    return Reply(201, {"pool": pool_view(call, pool)})


def delete_pool(call: Call) -> Reply:
    """Its members go with it; a pool that a listener uses stays."""
    pool = find_pool(call, call.params["pool_id"], change=True)
    if LISTENERS.count(call.db, pool_id=pool.id):
        raise conflict(f"Pool {pool.id} is in use by a listener.")
    MEMBERS.delete(call.db, pool_id=pool.id)
    POOLS.delete(call.db, id=pool.id)
    changed(call, pool.loadbalancer_id)
    return Reply(204)


def list_listeners(call: Call) -> Reply:
    rows = LISTENERS.find(call.db, loadbalancer_id=_own_lbs(call))
    name = call.query.get("name")
    return Reply(body={"listeners": [listener_view(r) for r in rows if name in (None, r.name)]})


def _listener(call: Call, *, change: bool = False) -> Listener:
    listener_id = call.params["listener_id"]
    listener = LISTENERS.get(call.db, id=listener_id)
    if listener is None:
        raise missing("Listener", listener_id)
    try:
        find_lb(call, listener.loadbalancer_id, change=change)
    except ApiError as refused:
        raise (missing("Listener", listener_id) if refused.status == 404 else refused) from None
    return listener


def show_listener(call: Call) -> Reply:
    return Reply(body={"listener": listener_view(_listener(call))})


def create_listener(call: Call) -> Reply:
    required = ("loadbalancer_id", "name", "protocol", "port", "pool_id")
    given = body_of(call, "listener", _LISTENER, required)
    lb = find_lb(call, given["loadbalancer_id"], change=True)
    pool = POOLS.get(call.db, id=given["pool_id"])
    if pool is None or pool.loadbalancer_id != lb.id:
        raise bad_request(f"listener.pool_id: no pool {given['pool_id']} at this load balancer")
    if LISTENERS.get(call.db, loadbalancer_id=lb.id, port=given["port"]):
        raise conflict(f"Load balancer {lb.id} already has a listener on port {given['port']}.")
    reserve(call.db, lb.project_id, "listeners")
    listener = Listener(id=new_uuid(), created_at=seconds(), **given)
    LISTENERS.insert(call.db, listener)
    changed(call, lb.id)
    return Reply(201, {"listener": listener_view(listener)})


def delete_listener(call: Call) -> Reply:
    listener = _listener(call, change=True)
    LISTENERS.delete(call.db, id=listener.id)
    changed(call, listener.loadbalancer_id)
    return Reply(204)


ROUTES = [
    Route("GET", "/v1/pools", list_pools),
    Route("POST", "/v1/pools", create_pool, Access.MEMBER, "pool:create"),
    Route("GET", "/v1/pools/{pool_id}", show_pool),
    Route("DELETE", "/v1/pools/{pool_id}", delete_pool, Access.MEMBER, "pool:delete"),
    Route("GET", "/v1/listeners", list_listeners),
    Route("POST", "/v1/listeners", create_listener, Access.MEMBER, "listener:create"),
    Route("GET", "/v1/listeners/{listener_id}", show_listener),
    Route(
        "DELETE", "/v1/listeners/{listener_id}", delete_listener, Access.MEMBER, "listener:delete"
    ),
]
