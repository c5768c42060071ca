"""Load balancers and quota."""

from __future__ import annotations

import ipaddress

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, conflict
from vks.local.cloud.http.router import Route
from vks.local.cloud.lbaas.common import (
    DEFAULT_QUOTAS,
    NAME,
    TAGS,
    body_of,
    changed,
    find_lb,
    limits,
    reserve,
    used,
    view_of,
    wanted_tags,
)
from vks.local.cloud.lbaas.tables import (
    LB_QUOTAS,
    LISTENERS,
    LOAD_BALANCERS,
    POOLS,
    LbQuota,
    LoadBalancer,
)

_TEXT = {"type": "string", "maxLength": 255}
_CREATE = {
    "name": NAME,
    "description": _TEXT,
    "zones": {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
    "vip_address": {"type": ["string", "null"], "format": "ipv4"},
    "tags": TAGS,
}
_UPDATE = {"name": NAME, "description": _TEXT, "tags": TAGS}
_SHOWN = (
    "id",
    "name",
    "description",
    "project_id",
    "zones",
    "vip_address",
    "status",
    "tags",
    "created_at",
    "updated_at",
)


def view(call: Call, lb: LoadBalancer) -> Json:
    listeners = LISTENERS.find(call.db, loadbalancer_id=lb.id)
    pools = POOLS.find(call.db, loadbalancer_id=lb.id)
    return {
        **view_of(lb, *_SHOWN),
        "listeners": [{"id": listener.id} for listener in listeners],
        "pools": [{"id": pool.id} for pool in pools],
    }


def list_lbs(call: Call) -> Reply:
    where = (
        {}
        if call.caller.is_admin and call.flag("all_projects")
        else {"project_id": call.caller.project}
    )
    if "name" in call.query:
        where["name"] = call.query["name"]
    tags = wanted_tags(call)
    rows = [
        row for row in LOAD_BALANCERS.find(call.db, **where) if all(tag in row.tags for tag in tags)
    ]
    return Reply(body={"loadbalancers": [view(call, row) for row in rows]})


def show_lb(call: Call) -> Reply:
    return Reply(body={"loadbalancer": view(call, find_lb(call, call.params["lb_id"]))})


def _vip(db: Database, vip_range: str, wanted: str | None) -> str:
    """The wanted VIP, or the lowest free one; ApiError 400 or 409 when there is none."""
    network = ipaddress.ip_network(vip_range)
    taken = {lb.vip_address for lb in LOAD_BALANCERS.find(db)}
    if wanted is not None:
        if ipaddress.ip_address(wanted) not in network:
            raise bad_request(f"loadbalancer.vip_address: {wanted} is not in {vip_range}")
        if wanted in taken:
            raise conflict(f"VIP address {wanted} is in use.")
        return wanted
    for host in network.hosts():
        if str(host) not in taken:
            return str(host)
    raise conflict("No VIP address is available.")


def create_lb(call: Call) -> Reply:
    given = body_of(call, "loadbalancer", _CREATE, ("name",))
    settings = call.cloud.settings
    for zone in given.get("zones", []):
        if zone not in settings.zones:
            raise bad_request(f"loadbalancer.zones: unknown zone {zone}")
    reserve(call.db, call.caller.project, "loadbalancers")
    moment = seconds()
    lb = LoadBalancer(
        id=new_uuid(),
        project_id=call.caller.project,
        name=given["name"],
        description=given.get("description", ""),
        zones=given.get("zones") or list(settings.zones),
        vip_address=_vip(call.db, settings.vip_range, given.get("vip_address")),
        status="PENDING_CREATE",
        tags=given.get("tags", []),
        generation=1,
        created_at=moment,
        updated_at=moment,
    )
    LOAD_BALANCERS.insert(call.db, lb)
    call.cloud.work.loadbalancer(lb.id)
    return Reply(202, {"loadbalancer": view(call, lb)})


def update_lb(call: Call) -> Reply:
    given = body_of(call, "loadbalancer", _UPDATE)
    lb = find_lb(call, call.params["lb_id"], change=True)
    lb = LOAD_BALANCERS.update(call.db, lb, updated_at=seconds(), **given)
    return Reply(body={"loadbalancer": view(call, lb)})


def delete_lb(call: Call) -> Reply:
    """Children go with it only on `cascade`; the object is gone when the data plane is."""
    lb = find_lb(call, call.params["lb_id"])
    children = POOLS.count(call.db, loadbalancer_id=lb.id) + LISTENERS.count(
        call.db, loadbalancer_id=lb.id
    )
    if children and not call.flag("cascade"):
        raise conflict(f"Load balancer {lb.id} has listeners or pools.")
    LOAD_BALANCERS.update(call.db, lb, status="PENDING_DELETE")
    changed(call, lb.id)
    return Reply(204)


def show_quota(call: Call) -> Reply:
    project_id = call.caller.project
    quota: Json = limits(call.db, project_id)
    quota |= {f"used_{name}": count for name, count in used(call.db, project_id).items()}
    return Reply(body={"quota": quota})


def update_quota(call: Call) -> Reply:
    limit = {"type": "integer", "minimum": -1}
    given = body_of(call, "quota", {name: limit for name in DEFAULT_QUOTAS})
    project_id = call.params["project_id"]
    for resource, maximum in given.items():
        row = LbQuota(project_id=project_id, resource=resource, maximum=maximum)
        LB_QUOTAS.put(call.db, row)
    return Reply(body={"quota": limits(call.db, project_id)})


_PATH = "/v1/loadbalancers"
ROUTES = [
    Route("GET", _PATH, list_lbs),
    Route("POST", _PATH, create_lb, Access.MEMBER, "loadbalancer:create"),
    Route("GET", _PATH + "/{lb_id}", show_lb),
    Route("PATCH", _PATH + "/{lb_id}", update_lb, Access.MEMBER, "loadbalancer:update"),
    Route("DELETE", _PATH + "/{lb_id}", delete_lb, Access.MEMBER, "loadbalancer:delete"),
    Route("GET", "/v1/quota", show_quota),
    Route("PUT", "/v1/quota/{project_id}", update_quota, Access.ADMIN, "quota:update"),
]
