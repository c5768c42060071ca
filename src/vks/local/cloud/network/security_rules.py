"""The rules of security groups."""

from __future__ import annotations

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request
from vks.local.cloud.http.router import Route
from vks.local.cloud.network.attributes import COMMON, REQUIRED, UUID, Attribute, Body
from vks.local.cloud.network.errors import in_use, missing
from vks.local.cloud.network.listing import (
    base_view,
    candidates,
    find_owned,
    find_visible,
    list_reply,
    show_reply,
)
from vks.local.cloud.network.quotas import reserve
from vks.local.cloud.network.tables import (
    SECURITY_GROUP_RULES,
    SECURITY_GROUPS,
    SecurityGroup,
    SecurityGroupRule,
)

_PORT = {"type": ["integer", "null"], "minimum": 0, "maximum": 65535}
_PORT_PROTOCOLS = ("tcp", "udp", "sctp", "dccp", "udplite", "6", "17", "132", "33", "136")
_BODY = Body(
    "security_group_rule",
    {
        **COMMON,
        "security_group_id": Attribute(UUID, REQUIRED, put=False),
        "direction": Attribute({"enum": ["ingress", "egress"]}, REQUIRED, put=False),
        "ethertype": Attribute({"enum": ["IPv4", "IPv6"]}, "IPv4", put=False),
        "protocol": Attribute({"type": ["string", "integer", "null"]}, None, put=False),
        "port_range_min": Attribute(_PORT, None, put=False),
        "port_range_max": Attribute(_PORT, None, put=False),
        "remote_ip_prefix": Attribute(
            {"type": ["string", "null"], "format": "cidr"}, None, put=False
        ),
        "remote_group_id": Attribute(
            {"type": ["string", "null"], "format": "uuid"}, None, put=False
        ),
        "remote_address_group_id": Attribute({"type": "null"}, None, put=False),
    },
)


def make_rule(
    db: Database,
    group: SecurityGroup,
    *,
    direction: str,
    ethertype: str,
    description: str = "",
    protocol: str | None = None,
    port_range_min: int | None = None,
    port_range_max: int | None = None,
    remote_ip_prefix: str | None = None,
    remote_group_id: str | None = None,
) -> SecurityGroupRule:
    moment = seconds()
    rule = SecurityGroupRule(
        id=new_uuid(),
        project_id=group.project_id,
        name="",
        description=description,
        created_at=moment,
        updated_at=moment,
        security_group_id=group.id,
        direction=direction,
        ethertype=ethertype,
        protocol=protocol,
        port_range_min=port_range_min,
        port_range_max=port_range_max,
        remote_ip_prefix=remote_ip_prefix,
        remote_group_id=remote_group_id,
    )
    return SECURITY_GROUP_RULES.insert(db, rule)


_SHOWN = (
    "security_group_id",
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
)


def rule_view(call: Call, rule: SecurityGroupRule) -> Json:
    shown = {**base_view(rule), **{name: getattr(rule, name) for name in _SHOWN}}
    del shown["name"]
    return {
        **shown,
        "remote_address_group_id": None,
        "normalized_cidr": rule.remote_ip_prefix,
        "belongs_to_default_sg": False,
    }


def list_rules(call: Call) -> Reply:
    rows = candidates(call, SECURITY_GROUP_RULES)
    return list_reply(call, "security_group_rules", rows, rule_view)


def show_rule(call: Call) -> Reply:
    rule = find_visible(call, SECURITY_GROUP_RULES, "security_group_rule", call.params["rule_id"])
    return show_reply(call, "security_group_rule", rule_view(call, rule))


def _check(given: Json) -> None:
    low, high, protocol = given["port_range_min"], given["port_range_max"], given["protocol"]
    if given["remote_ip_prefix"] and given["remote_group_id"]:
        raise bad_request(
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be "
            "provided.",
            kind="SecurityGroupMultipleRemoteEntites",
        )
    if low is None and high is None:
        return
    if protocol is None:
        raise bad_request(
            "Must also specify protocol if port range is given.",
            kind="SecurityGroupProtocolRequiredWithPorts",
        )
    if str(protocol) in _PORT_PROTOCOLS and (low is None or high is None or low > high):
        raise bad_request(
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
            kind="SecurityGroupInvalidPortRange",
        )


def create_rule(call: Call) -> Reply:
    given = _BODY.create(call)
    if given["protocol"] is not None:
        given["protocol"] = str(given["protocol"]).lower()
    _check(given)
    group = find_owned(call, SECURITY_GROUPS, "security_group", given["security_group_id"])
    if (
        given["remote_group_id"]
        and SECURITY_GROUPS.get(call.db, id=given["remote_group_id"]) is None
    ):
        raise missing("security_group", given["remote_group_id"])
    values = {name: given[name] for name in _SHOWN if name != "security_group_id"}
    twin = SECURITY_GROUP_RULES.get(call.db, security_group_id=group.id, **values)
    if twin is not None:
        raise in_use(
            "SecurityGroupRuleExists",
            f"Security group rule already exists. Rule id is {twin.id}.",
        )
    reserve(call.db, "security_group_rule", group.project_id)
    rule = make_rule(call.db, group, description=given["description"], **values)
    return show_reply(call, "security_group_rule", rule_view(call, rule), 201)


def delete_rule(call: Call) -> Reply:
    rule = find_owned(call, SECURITY_GROUP_RULES, "security_group_rule", call.params["rule_id"])
    SECURITY_GROUP_RULES.delete(call.db, id=rule.id)
    return Reply(204)


_PATH = "/v2.0/security-group-rules"
ROUTES = [
    Route("GET", _PATH, list_rules),
    Route("POST", _PATH, create_rule, Access.MEMBER, "create_security_group_rule"),
    Route("GET", _PATH + "/{rule_id}", show_rule),
    Route("DELETE", _PATH + "/{rule_id}", delete_rule, Access.MEMBER, "delete_security_group_rule"),
]
