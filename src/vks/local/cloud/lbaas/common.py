"""What LBaaS's handlers share: its errors, validation, ownership, and marking a change."""

from __future__ import annotations

from typing import Any

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import seconds
from vks.local.cloud.http.call import Call, Json
from vks.local.cloud.http.errors import ApiError, bad_request, conflict, forbidden, not_found
from vks.local.cloud.http.schema import Invalid, Schema, check
from vks.local.cloud.lbaas.tables import (
    LB_QUOTAS,
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
    LoadBalancer,
    Pool,
)

DEFAULT_QUOTAS = {"loadbalancers": 100, "listeners": 1000, "pools": 1000, "members": 10000}

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
TAGS: Schema = {
    "type": "array",
    "uniqueItems": True,
    "maxItems": 50,
    "items": {"type": "string", "minLength": 1, "maxLength": 255},
}
UUID: Schema = {"type": "string", "format": "uuid"}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}


def render(error: ApiError) -> Json:
    return {"error": {"code": error.status, "title": error.title, "message": error.message}}


def forbid(action: str) -> ApiError:
    return forbidden(f"Policy does not allow {action}.")


def body_of(call: Call, name: str, properties: Schema, required: tuple[str, ...] = ()) -> Json:
    """The validated content of a body `{name: {…}}`; ApiError 400 naming the field."""
    inner = {
        "type": "object",
        "required": list(required),
        "additionalProperties": False,
        "properties": properties,
    }
    schema = {"type": "object", "required": [name], "properties": {name: inner}}
    try:
        check(schema, call.body)
    except Invalid as wrong:
        where = f"{wrong.path}: " if wrong.path else ""
        raise bad_request(f"{where}{wrong.message}") from wrong
    found: Json = call.body[name]
    return found


def missing(kind: str, identifier: str) -> ApiError:
    return not_found(f"{kind} {identifier} not found.")


def find_lb(call: Call, lb_id: str, *, change: bool = False) -> LoadBalancer:
    """404 for unknown and foreign ones; 409 when it is to change while it is being deleted."""
    lb = LOAD_BALANCERS.get(call.db, id=lb_id)
    if lb is None or not (call.caller.is_admin or lb.project_id == call.caller.project):
        raise missing("Load balancer", lb_id)
    if change and lb.status == "PENDING_DELETE":
        raise conflict(f"Load balancer {lb_id} is being deleted.")
    return lb


def find_pool(call: Call, pool_id: str, *, change: bool = False) -> Pool:
    pool = POOLS.get(call.db, id=pool_id)
    if pool is None:
        raise missing("Pool", pool_id)
    try:
        find_lb(call, pool.loadbalancer_id, change=change)
    except ApiError as refused:
        raise (missing("Pool", pool_id) if refused.status == 404 else refused) from None
    return pool


def changed(call: Call, lb_id: str) -> None:
    """Something of the load balancer changed: the data plane has to hear of it."""
    lb = LOAD_BALANCERS.get(call.db, id=lb_id)
    if lb is None:
        return
    status = lb.status if lb.status in ("PENDING_CREATE", "PENDING_DELETE") else "PENDING_UPDATE"
    LOAD_BALANCERS.update(
        call.db, lb, status=status, generation=lb.generation + 1, updated_at=seconds()
    )
    call.cloud.work.loadbalancer(lb.id)


def limits(db: Database, project_id: str) -> dict[str, int]:
    own = {row.resource: row.maximum for row in LB_QUOTAS.find(db, project_id=project_id)}
    return {**DEFAULT_QUOTAS, **own}


def used(db: Database, project_id: str) -> dict[str, int]:
    lb_ids = [lb.id for lb in LOAD_BALANCERS.find(db, project_id=project_id)]
    pools = [pool.id for pool in POOLS.find(db, loadbalancer_id=lb_ids)]
    return {
        "loadbalancers": len(lb_ids),
        "listeners": LISTENERS.count(db, loadbalancer_id=lb_ids),
        "pools": len(pools),
        "members": MEMBERS.count(db, pool_id=pools),
    }


def reserve(db: Database, project_id: str, resource: str) -> None:
    """Raises ApiError 413 when the project may not have one more."""
    limit = limits(db, project_id)[resource]
    if 0 <= limit <= used(db, project_id)[resource]:
        raise ApiError(413, f"Quota exceeded: {resource} limit is {limit}.")


def wanted_tags(call: Call) -> list[str]:
    return [tag for tag in call.query.get("tags", "").split(",") if tag]


def view_of(row: Any, *names: str) -> Json:
    return {name: getattr(row, name) for name in names}
