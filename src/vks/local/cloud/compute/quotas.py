"""Nova's quotas and limits."""

from __future__ import annotations

from vks.local.cloud.compute.errors import forbid, validate
from vks.local.cloud.compute.tables import (
    COMPUTE_QUOTAS,
    SERVER_GROUPS,
    SERVERS,
    ComputeQuota,
    Flavor,
)
from vks.local.cloud.core.database import Database
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, forbidden
from vks.local.cloud.http.router import Route

#: Nova's own defaults, raised for instances, cores and ram: one cluster needs more than ten.
DEFAULTS: dict[str, int] = {
    "instances": 100,
    "cores": 400,
    "ram": 1024 * 1024,  # MiB
    "metadata_items": 128,
    "key_pairs": 100,
    "server_groups": 100,
    "server_group_members": 100,
    "injected_files": 5,
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
}
#: Gone since 2.57 (files) and 2.36 (network); older clients still read them.
_OLD = {"fixed_ips": -1, "floating_ips": -1, "security_groups": -1, "security_group_rules": -1}


def limits(db: Database, project_id: str) -> dict[str, int]:
    own = {row.resource: row.maximum for row in COMPUTE_QUOTAS.find(db, project_id=project_id)}
    return {**DEFAULTS, **own}


def limit_of(db: Database, project_id: str, resource: str) -> float:
    """The limit, infinite where there is none."""
    limit = limits(db, project_id)[resource]
    return float("inf") if limit < 0 else limit


def used(db: Database, project_id: str) -> dict[str, int]:
    flavors = [
        flavor for (flavor,) in SERVERS.pick(db, "flavor", project_id=project_id, deleted=False)
    ]
    return {
        "instances": len(flavors),
        "cores": sum(flavor.vcpus for flavor in flavors),
        "ram": sum(flavor.ram for flavor in flavors),
        "server_groups": SERVER_GROUPS.count(db, project_id=project_id),
    }


def reserve_servers(db: Database, project_id: str, flavor: Flavor, count: int) -> None:
    """Raises ApiError 403 when the project may not have `count` more of the flavor."""
    allowed, current = limits(db, project_id), used(db, project_id)
    requested = {"instances": count, "cores": count * flavor.vcpus, "ram": count * flavor.ram}
    over = [
        name
        for name, amount in sorted(requested.items())
        if 0 <= allowed[name] < current[name] + amount
    ]
    if over:
        names = ", ".join(over)
        raise forbidden(
            f"Quota exceeded for {names}: "
            f"Requested {', '.join(str(requested[name]) for name in over)}, but already used "
            f"{', '.join(str(current[name]) for name in over)} of "
            f"{', '.join(str(allowed[name]) for name in over)} {names}"
        )


def _shown(call: Call) -> list[str]:
    files = [name for name in DEFAULTS if name.startswith("injected")]
    return [name for name in DEFAULTS if not (call.at_least(57) and name in files)]


def _target(call: Call) -> str:
    project_id = call.params["project_id"]
    if project_id != call.caller.project and not call.caller.is_admin:
        raise forbid("os_compute_api:os-quota-sets:show")
    return project_id


def _quota_set(call: Call, values: dict[str, int], project_id: str) -> Json:
    old = {} if call.at_least(36) else _OLD
    return {"id": project_id, **{name: values[name] for name in _shown(call)}, **old}


def show_quota(call: Call) -> Reply:
    project_id = _target(call)
    return Reply(body={"quota_set": _quota_set(call, limits(call.db, project_id), project_id)})


def show_default(call: Call) -> Reply:
    return Reply(body={"quota_set": _quota_set(call, DEFAULTS, call.params["project_id"])})


def show_detail(call: Call) -> Reply:
    project_id = _target(call)
    current = used(call.db, project_id)
    quota_set: Json = {
        name: {"limit": limit, "in_use": current.get(name, 0), "reserved": 0}
        for name, limit in limits(call.db, project_id).items()
        if name in _shown(call)
    }
    return Reply(body={"quota_set": {"id": project_id, **quota_set}})


def update_quota(call: Call) -> Reply:
    limit = {"type": ["integer", "string"], "pattern": r"^-?[0-9]+$", "minimum": -1}
    properties = {name: limit for name in (*DEFAULTS, *_OLD)}
    schema = {
        "type": "object",
        "required": ["quota_set"],
        "properties": {
            "quota_set": {
                "type": "object",
                "additionalProperties": False,
                "properties": {**properties, "force": {}, "tenant_id": {}},
            }
        },
    }
    validate(schema, call.body)
    project_id = call.params["project_id"]
    if not call.body["quota_set"].get("force"):
        _check_use(call, project_id)
    for resource, limit_value in call.body["quota_set"].items():
        if resource in DEFAULTS:
            row = ComputeQuota(project_id=project_id, resource=resource, maximum=int(limit_value))
            COMPUTE_QUOTAS.put(call.db, row)
    values = limits(call.db, project_id)
    return Reply(body={"quota_set": {name: values[name] for name in _shown(call)}})


def _check_use(call: Call, project_id: str) -> None:
    """A limit below what is used already has to be forced."""
    current = used(call.db, project_id)
    for resource, limit in call.body["quota_set"].items():
        if resource in current and 0 <= int(limit) < current[resource]:
            raise bad_request(
                f"Quota limit {limit} for {resource} must be greater than or equal to already "
                f"used and reserved {current[resource]}."
            )


def reset_quota(call: Call) -> Reply:
    COMPUTE_QUOTAS.delete(call.db, project_id=call.params["project_id"])
    return Reply(202)


def show_limits(call: Call) -> Reply:
    project_id = call.query.get("tenant_id", call.caller.project)
    if project_id != call.caller.project and not call.caller.is_admin:
        raise forbid("os_compute_api:os-used-limits")
    allowed, current = limits(call.db, project_id), used(call.db, project_id)
    absolute = {
        "maxTotalInstances": allowed["instances"],
        "maxTotalCores": allowed["cores"],
        "maxTotalRAMSize": allowed["ram"],
        "maxServerMeta": allowed["metadata_items"],
        "maxTotalKeypairs": allowed["key_pairs"],
        "maxServerGroups": allowed["server_groups"],
        "maxServerGroupMembers": allowed["server_group_members"],
        "totalInstancesUsed": current["instances"],
        "totalCoresUsed": current["cores"],
        "totalRAMUsed": current["ram"],
        "totalServerGroupsUsed": current["server_groups"],
    }
    return Reply(body={"limits": {"rate": [], "absolute": absolute}})


_PATH = "/v2.1/os-quota-sets/{project_id}"
_ACTION = "os_compute_api:os-quota-sets"
ROUTES = [
    Route("GET", _PATH, show_quota),
    Route("GET", _PATH + "/defaults", show_default),
    Route("GET", _PATH + "/detail", show_detail),
    Route("PUT", _PATH, update_quota, Access.ADMIN, f"{_ACTION}:update"),
    Route("DELETE", _PATH, reset_quota, Access.ADMIN, f"{_ACTION}:delete"),
    Route("GET", "/v2.1/limits", show_limits),
]
