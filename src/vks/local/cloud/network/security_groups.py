"""Security groups. They are kept and shown; the local fabric does not filter packets."""

from __future__ import annotations

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.router import Route
from vks.local.cloud.network.attributes import COMMON, FLAG, Attribute, Body
from vks.local.cloud.network.errors import in_use
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
from vks.local.cloud.network.security_rules import make_rule, rule_view
from vks.local.cloud.network.tables import (
    PORTS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUPS,
    SecurityGroup,
)

_BODY = Body("security_group", {**COMMON, "stateful": Attribute(FLAG, True)})


def ensure_default_group(db: Database, project_id: str) -> SecurityGroup:
    """Every project has a group `default`, made when the project is first seen."""
    found = SECURITY_GROUPS.get(db, project_id=project_id, name="default")
    if found is not None:
        return found
    group = _make_group(db, project_id, "default", "Default security group", True)
    for ethertype in ("IPv4", "IPv6"):
        make_rule(db, group, direction="ingress", ethertype=ethertype, remote_group_id=group.id)
    return group


def _make_group(
    db: Database, project_id: str, name: str, description: str, stateful: bool
) -> SecurityGroup:
    moment = seconds()
    group = SecurityGroup(
        id=new_uuid(),
        project_id=project_id,
        name=name,
        description=description,
        created_at=moment,
        updated_at=moment,
        revision_number=1,
        stateful=stateful,
    )
    SECURITY_GROUPS.insert(db, group)
    for ethertype in ("IPv4", "IPv6"):
        make_rule(db, group, direction="egress", ethertype=ethertype)
    return group


def view(call: Call, group: SecurityGroup) -> Json:
    rules = SECURITY_GROUP_RULES.find(call.db, security_group_id=group.id)
    return {
        **base_view(group),
        "stateful": group.stateful,
        "shared": False,
        "security_group_rules": [rule_view(call, rule) for rule in rules],
    }


def list_groups(call: Call) -> Reply:
    ensure_default_group(call.db, call.caller.project)
    return list_reply(call, "security_groups", candidates(call, SECURITY_GROUPS), view)


def _group(call: Call) -> str:
    return call.params["group_id"]


def show_group(call: Call) -> Reply:
    group = find_visible(call, SECURITY_GROUPS, "security_group", _group(call))
    return show_reply(call, "security_group", view(call, group))


def create_group(call: Call) -> Reply:
    given = _BODY.create(call)
    ensure_default_group(call.db, given["project_id"])
    if given["name"] == "default":
        raise in_use("SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
    reserve(call.db, "security_group", given["project_id"])
    group = _make_group(
        call.db, given["project_id"], given["name"], given["description"], given["stateful"]
    )
    return show_reply(call, "security_group", view(call, group), 201)


def update_group(call: Call) -> Reply:
    given = _BODY.update(call)
    group = find_owned(call, SECURITY_GROUPS, "security_group", _group(call))
    if group.name == "default" and given.get("name", "default") != "default":
        raise in_use(
            "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed."
        )
    group = touch(call.db, SECURITY_GROUPS, group, **given)
    return show_reply(call, "security_group", view(call, group))


def delete_group(call: Call) -> Reply:
    group = find_owned(call, SECURITY_GROUPS, "security_group", _group(call))
    if group.name == "default" and not call.caller.is_admin:
        raise in_use(
            "SecurityGroupCannotRemoveDefault",
            "Insufficient rights for removing default security group.",
        )
    ports = PORTS.find(call.db, project_id=group.project_id)
    if any(group.id in port.security_group_ids for port in ports):
        raise in_use("SecurityGroupInUse", f"Security Group {group.id} in use.")
    SECURITY_GROUP_RULES.delete(call.db, security_group_id=group.id)
    SECURITY_GROUP_RULES.delete(call.db, remote_group_id=group.id)
    SECURITY_GROUPS.delete(call.db, id=group.id)
    return Reply(204)


_PATH = "/v2.0/security-groups"
ROUTES = [
    Route("GET", _PATH, list_groups),
    Route("POST", _PATH, create_group, Access.MEMBER, "create_security_group"),
    Route("GET", _PATH + "/{group_id}", show_group),
    Route("PUT", _PATH + "/{group_id}", update_group, Access.MEMBER, "update_security_group"),
    Route("DELETE", _PATH + "/{group_id}", delete_group, Access.MEMBER, "delete_security_group"),
]
