"""Quotas: how much of each resource a project may have."""

from __future__ import annotations

from typing import Any

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.table import Table
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.router import Route
from vks.local.cloud.http.schema import Invalid, check
from vks.local.cloud.network.errors import forbid, malformed, over_quota
from vks.local.cloud.network.tables import (
    NETWORK_QUOTAS,
    NETWORKS,
    PORTS,
    ROUTERS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUPS,
    SUBNET_POOLS,
    SUBNETS,
    Quota,
)

#: Neutron's own defaults, but for ports: a cluster needs more of those than 500.
DEFAULTS: dict[str, int] = {
    "network": 100,
    "subnet": 100,
    "subnetpool": -1,
    "port": 5000,
    "router": 50,
    "router_route": 30,  # a cluster needs one per node
    "security_group": 50,
    "security_group_rule": 500,
    "floatingip": 0,
    "rbac_policy": 10,
}
_TABLES: dict[str, Table[Any]] = {
    "network": NETWORKS,
    "subnet": SUBNETS,
    "subnetpool": SUBNET_POOLS,
    "port": PORTS,
    "router": ROUTERS,
    "security_group": SECURITY_GROUPS,
    "security_group_rule": SECURITY_GROUP_RULES,
}


def limits(db: Database, project_id: str) -> dict[str, int]:
    own = {row.resource: row.maximum for row in NETWORK_QUOTAS.find(db, project_id=project_id)}
    return {**DEFAULTS, **own}


def used(db: Database, resource: str, project_id: str) -> int:
    if resource == "router_route":
        return sum(len(router.routes) for router in ROUTERS.find(db, project_id=project_id))
    table = _TABLES.get(resource)
    return table.count(db, project_id=project_id) if table else 0


def reserve(db: Database, resource: str, project_id: str, count: int = 1) -> None:
    """Raises ApiError 409 (OverQuota) when the project may not have `count` more."""
    limit = limits(db, project_id)[resource]
    if limit >= 0 and count > 0 and used(db, resource, project_id) + count > limit:
        raise over_quota(resource)


def _target(call: Call, change: bool = False) -> str:
    project_id = call.params["project_id"]
    own = project_id == call.caller.project and not change
    if not own and not call.caller.is_admin:
        raise forbid("update_quota" if change else "get_quota")
    return project_id


def list_quotas(call: Call) -> Reply:
    projects = sorted({row.project_id for row in NETWORK_QUOTAS.find(call.db)})
    found = [{**limits(call.db, project), "project_id": project} for project in projects]
    return Reply(body={"quotas": found})


def show_quota(call: Call) -> Reply:
    return Reply(body={"quota": limits(call.db, _target(call))})


def show_default(call: Call) -> Reply:
    return Reply(body={"quota": DEFAULTS})


def show_details(call: Call) -> Reply:
    project_id = _target(call)
    details: Json = {
        resource: {"limit": limit, "used": used(call.db, resource, project_id), "reserved": 0}
        for resource, limit in limits(call.db, project_id).items()
    }
    return Reply(body={"quota": details})


def update_quota(call: Call) -> Reply:
    project_id = _target(call, change=True)
    schema = {
        "type": "object",
        "required": ["quota"],
        "properties": {
            "quota": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    resource: {"type": "integer", "minimum": -1} for resource in DEFAULTS
                }
                | {"force": {"type": "boolean"}, "check_limit": {"type": "boolean"}},
            }
        },
    }
    try:
        check(schema, call.body)
    except Invalid as wrong:
        raise malformed(f"Invalid input for {wrong.path}. Reason: {wrong.message}.") from wrong
    for resource, limit in call.body["quota"].items():
        if resource in DEFAULTS:
            row = Quota(project_id=project_id, resource=resource, maximum=limit)
            NETWORK_QUOTAS.put(call.db, row)
    return Reply(body={"quota": limits(call.db, project_id)})


def reset_quota(call: Call) -> Reply:
    NETWORK_QUOTAS.delete(call.db, project_id=_target(call, change=True))
    return Reply(204)


ROUTES = [
    Route("GET", "/v2.0/quotas", list_quotas, Access.ADMIN, "get_quota"),
    Route("GET", "/v2.0/quotas/{project_id}", show_quota),
    Route("GET", "/v2.0/quotas/{project_id}/default", show_default),
    Route("GET", "/v2.0/quotas/{project_id}/details", show_details),
    Route("PUT", "/v2.0/quotas/{project_id}", update_quota, Access.MEMBER, "update_quota"),
    Route("DELETE", "/v2.0/quotas/{project_id}", reset_quota, Access.MEMBER, "delete_quota"),
]
