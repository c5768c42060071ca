"""Server groups and availability zones: what steers placement."""

from __future__ import annotations

from vks.local.cloud.compute.errors import validate
from vks.local.cloud.compute.pages import page
from vks.local.cloud.compute.quotas import limit_of
from vks.local.cloud.compute.tables import SERVER_GROUPS, SERVERS, ServerGroup
from vks.local.cloud.core.ids import new_uuid
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, forbidden, not_found
from vks.local.cloud.http.router import Route

_OLD_POLICIES = ["anti-affinity", "affinity"]
_POLICIES = [*_OLD_POLICIES, "soft-anti-affinity", "soft-affinity"]


def _schema(call: Call) -> Json:
    """2.15 brought the soft policies; 2.64 one `policy` and its `rules`."""
    properties: Json = {"name": {"type": "string", "minLength": 1, "maxLength": 255}}
    if call.at_least(64):
        properties["policy"] = {"type": "string", "enum": _POLICIES}
        properties["rules"] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {"max_server_per_host": {"type": "integer", "minimum": 1}},
        }
        required = ["name", "policy"]
    else:
        known = _POLICIES if call.at_least(15) else _OLD_POLICIES
        properties["policies"] = {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {"enum": known},
        }
        required = ["name", "policies"]
    inner = {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": properties,
    }
    return {
        "type": "object",
        "required": ["server_group"],
        "additionalProperties": False,
        "properties": {"server_group": inner},
    }


def _view(call: Call, group: ServerGroup) -> Json:
    members = [found for (found,) in SERVERS.pick(call.db, "id", group_id=group.id, deleted=False)]
    view: Json = {"id": group.id, "name": group.name, "members": members}
    if call.at_least(64):
        view["policy"] = group.policy
        view["rules"] = (
            {"max_server_per_host": group.max_server_per_host} if group.max_server_per_host else {}
        )
    else:
        view |= {"policies": [group.policy], "metadata": {}}
    if call.at_least(13):
        view |= {"project_id": group.project_id, "user_id": group.user_id}
    return view


def find_group(call: Call, group_id: str) -> ServerGroup | None:
    group = SERVER_GROUPS.get(call.db, id=group_id)
    own = group is not None and group.project_id == call.caller.project
    return group if own or call.caller.is_admin else None


def _group(call: Call) -> ServerGroup:
    group = find_group(call, call.params["group_id"])
    if group is None:
        raise not_found(f"Instance group {call.params['group_id']} could not be found.")
    return group


def list_groups(call: Call) -> Reply:
    everywhere = call.caller.is_admin and call.flag("all_projects")
    where = {} if everywhere else {"project_id": call.caller.project}
    rows = SERVER_GROUPS.find(call.db, **where)
    chosen, _ = page(call, "server_groups", rows, [row.id for row in rows])
    return Reply(body={"server_groups": [_view(call, row) for row in chosen]})


def show_group(call: Call) -> Reply:
    return Reply(body={"server_group": _view(call, _group(call))})


def create_group(call: Call) -> Reply:
    validate(_schema(call), call.body)
    given = call.body["server_group"]
    policy = given["policy"] if call.at_least(64) else given["policies"][0]
    rules = given.get("rules", {})
    if rules and policy != "anti-affinity":
        raise bad_request(
            f"Only anti-affinity policy supports rules. Policy {policy} with rules {rules}."
        )
    owned = SERVER_GROUPS.count(call.db, project_id=call.caller.project)
    if owned >= limit_of(call.db, call.caller.project, "server_groups"):
        raise forbidden("Quota exceeded, too many server groups.")
    group = ServerGroup(
        id=new_uuid(),
        project_id=call.caller.project,
        user_id=call.caller.user_id,
        name=given["name"],
        policy=policy,
        max_server_per_host=rules.get("max_server_per_host"),
    )
    SERVER_GROUPS.insert(call.db, group)
    return Reply(body={"server_group": _view(call, group)})


def delete_group(call: Call) -> Reply:
    group = _group(call)
    for server in SERVERS.find(call.db, group_id=group.id):
        SERVERS.update(call.db, server, group_id=None)
    SERVER_GROUPS.delete(call.db, id=group.id)
    return Reply(204)


def _zone(call: Call, zone: str, detail: bool) -> Json:
    hosts: Json | None = None
    if detail:
        service = {"nova-compute": {"available": True, "active": True, "updated_at": None}}
        hosts = {host: service for host in call.cloud.settings.zones[zone]}
    return {"zoneName": zone, "zoneState": {"available": True}, "hosts": hosts}


def list_zones(call: Call) -> Reply:
    zones = [_zone(call, zone, False) for zone in call.cloud.settings.zones]
    return Reply(body={"availabilityZoneInfo": zones})


def detail_zones(call: Call) -> Reply:
    zones = [_zone(call, zone, True) for zone in call.cloud.settings.zones]
    return Reply(body={"availabilityZoneInfo": zones})


_ACTION = "os_compute_api:os-server-groups"
_ZONES = "/v2.1/os-availability-zone"
ROUTES = [
    Route("GET", "/v2.1/os-server-groups", list_groups),
    Route("POST", "/v2.1/os-server-groups", create_group, Access.MEMBER, f"{_ACTION}:create"),
    Route("GET", "/v2.1/os-server-groups/{group_id}", show_group),
    Route(
        "DELETE",
        "/v2.1/os-server-groups/{group_id}",
        delete_group,
        Access.MEMBER,
        f"{_ACTION}:delete",
    ),
    Route("GET", _ZONES, list_zones, Access.READER),
    Route(
        "GET",
        _ZONES + "/detail",
        detail_zones,
        Access.ADMIN,
        "os_compute_api:os-availability-zone:detail",
    ),
]
