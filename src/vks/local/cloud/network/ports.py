"""The ports API."""

from __future__ import annotations

from typing import Any

from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, conflict
from vks.local.cloud.http.router import Route
from vks.local.cloud.network.attributes import (
    COMMON,
    FLAG,
    NOT_GIVEN,
    REQUIRED,
    TAGS,
    UUID,
    Attribute,
    Body,
)
from vks.local.cloud.network.errors import forbid, missing
from vks.local.cloud.network.listing import (
    base_view,
    candidates,
    find_owned,
    find_visible,
    list_reply,
    show_reply,
    touch,
    visible,
)
from vks.local.cloud.network.port_store import (
    ROUTER_OWNERS,
    make_port,
    readdress,
    remove_port,
    service_port_in_use,
)
from vks.local.cloud.network.security_groups import ensure_default_group
from vks.local.cloud.network.tables import NETWORKS, PORTS, SECURITY_GROUPS, Network, Port

_MAC = r"^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$"
_FIXED_IPS = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "subnet_id": UUID,
            "ip_address": {"type": "string", "format": "ip"},
        },
    },
}
_PAIRS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["ip_address"],
        "additionalProperties": False,
        "properties": {
            "ip_address": {"type": "string", "format": "cidr"},
            "mac_address": {"type": "string", "pattern": _MAC},
        },
    },
}
_BODY = Body(
    "port",
    {
        **COMMON,
        "network_id": Attribute(UUID, REQUIRED, put=False),
        "mac_address": Attribute({"type": "string", "pattern": _MAC}),
        "fixed_ips": Attribute(_FIXED_IPS),
        "admin_state_up": Attribute(FLAG, True),
        "device_id": Attribute({"type": "string", "maxLength": 255}, ""),
        "device_owner": Attribute({"type": "string", "maxLength": 255}, ""),
        "security_groups": Attribute({"type": "array", "items": UUID}),
        "allowed_address_pairs": Attribute(_PAIRS, []),
        "port_security_enabled": Attribute(FLAG),
        "binding:host_id": Attribute({"type": ["string", "null"]}, NOT_GIVEN, admin=True),
        "binding:profile": Attribute({"type": ["object", "null"]}, NOT_GIVEN, admin=True),
        "binding:vnic_type": Attribute({"enum": ["normal"]}, "normal"),
        "extra_dhcp_opts": Attribute({"type": ["array", "null"], "maxItems": 0}, []),
        "dns_name": Attribute({"type": "string", "maxLength": 63}, ""),
        "tags": Attribute(TAGS, [], put=False),
    },
)


def view(call: Call, port: Port) -> Json:
    shown: Json = {
        **base_view(port),
        "network_id": port.network_id,
        "mac_address": port.mac_address,
        "admin_state_up": port.admin_state_up,
        "status": port.status,
        "device_id": port.device_id,
        "device_owner": port.device_owner,
        "fixed_ips": port.fixed_ips,
        "allowed_address_pairs": port.allowed_address_pairs,
        "security_groups": port.security_group_ids,
        "port_security_enabled": port.port_security_enabled,
        "extra_dhcp_opts": [],
        "binding:vnic_type": port.vnic_type,
    }
    if call.caller.is_admin:
        bound = bool(port.host_id)
        shown |= {
            "binding:host_id": port.host_id,
            "binding:vif_type": "bridge" if bound else "unbound",
            "binding:vif_details": {},
            "binding:profile": {},
        }
    return shown


def _fixed_ips_match(shown: Json, values: list[str]) -> bool:
    wanted: dict[str, set[str]] = {}
    for value in values:
        key, _, text = value.partition("=")
        wanted.setdefault(key, set()).add(text)
    return all(
        any(fixed.get(key) in texts for fixed in shown["fixed_ips"])
        if key in ("ip_address", "subnet_id")
        else any(text in fixed["ip_address"] for fixed in shown["fixed_ips"] for text in texts)
        for key, texts in wanted.items()
    )


_SPECIAL = {"fixed_ips": _fixed_ips_match}


def list_ports(call: Call) -> Reply:
    return list_reply(call, "ports", candidates(call, PORTS), view, _SPECIAL)


def show_port(call: Call) -> Reply:
    port = find_visible(call, PORTS, "port", call.params["port_id"])
    return show_reply(call, "port", view(call, port))


def _may_choose(call: Call, network: Network, given: Json, verb: str) -> None:
    """On a network that is only shared with it, a member may not choose addresses."""
    if call.caller.is_admin or network.project_id == call.caller.project:
        return
    chosen = [name for name in ("mac_address",) if isinstance(given.get(name), str)]
    fixed_ips = given.get("fixed_ips")
    if isinstance(fixed_ips, list) and any("ip_address" in fixed for fixed in fixed_ips):
        chosen.append("fixed_ips:ip_address")
    if str(given.get("device_owner") or "").startswith("network:"):
        chosen.append("device_owner")
    if chosen:
        raise forbid(f"{verb}_port and rule:{verb}_port:{chosen[0]}")


def _groups(call: Call, given: Json) -> list[str] | None:
    wanted = given.get("security_groups")
    if not isinstance(wanted, list):
        return None
    for group_id in wanted:
        group = SECURITY_GROUPS.get(call.db, id=group_id)
        if group is None or not visible(call, group):
            raise missing("security_group", group_id)
    return list(wanted)


def _check_security(secured: bool, groups: list[str] | None, pairs: list[Any]) -> None:
    if not secured and groups:
        raise conflict(
            "Port security must be enabled in order to have security groups on a port.",
            kind="PortSecurityAndIPRequiredForSecurityGroups",
        )
    if not secured and pairs:
        raise conflict(
            "Port Security must be enabled in order to have allowed address pairs on a port.",
            kind="AddressPairAndPortSecurityRequired",
        )


def _pairs(given: list[dict[str, str]], mac_address: str) -> list[dict[str, str]]:
    pairs = [{**pair, "mac_address": pair.get("mac_address", mac_address)} for pair in given]
    for at, pair in enumerate(pairs):
        if pair in pairs[:at]:
            raise bad_request(
                "Request contains duplicate address pair: mac_address "
                f"{pair['mac_address']} ip_address {pair['ip_address']}.",
                kind="DuplicateAddressPairInRequest",
            )
    return pairs


def create_port(call: Call) -> Reply:
    given = _BODY.create(call)
    network = find_visible(call, NETWORKS, "network", given["network_id"])
    _may_choose(call, network, given, "create")
    ensure_default_group(call.db, given["project_id"])
    secured = given["port_security_enabled"]
    secured = secured if isinstance(secured, bool) else network.port_security_enabled
    groups = _groups(call, given)
    _check_security(secured, groups, given["allowed_address_pairs"])
    port = make_port(
        call.db,
        network,
        given["project_id"],
        name=given["name"],
        description=given["description"],
        mac_address=given["mac_address"] if isinstance(given["mac_address"], str) else None,
        fixed_ips=given["fixed_ips"] if isinstance(given["fixed_ips"], list) else None,
        device_id=given["device_id"],
        device_owner=given["device_owner"],
        security_group_ids=groups,
        admin_state_up=given["admin_state_up"],
        port_security_enabled=secured,
        tags=given["tags"],
    )
    pairs = _pairs(given["allowed_address_pairs"], port.mac_address)
    port = PORTS.update(call.db, port, allowed_address_pairs=pairs)
    return show_reply(call, "port", view(call, port), 201)


def update_port(call: Call) -> Reply:
    given = _BODY.update(call)
    port = find_owned(call, PORTS, "port", call.params["port_id"])
    network = find_visible(call, NETWORKS, "network", port.network_id)
    _may_choose(call, network, given, "update")
    groups = _groups(call, given)
    secured = bool(given.get("port_security_enabled", port.port_security_enabled))
    pairs = given.get("allowed_address_pairs", port.allowed_address_pairs)
    current = port.security_group_ids if groups is None else groups
    _check_security(secured, current, pairs)
    simple = ("name", "description", "admin_state_up", "device_id", "device_owner")
    changes = {name: given[name] for name in simple if name in given}
    changes["port_security_enabled"] = secured
    if groups is not None:
        changes["security_group_ids"] = groups
    if "allowed_address_pairs" in given:
        changes["allowed_address_pairs"] = _pairs(pairs, port.mac_address)
    if "mac_address" in given:
        changes["mac_address"] = given["mac_address"].lower()
    if "binding:host_id" in given:
        changes["host_id"] = given["binding:host_id"] or ""
    if "fixed_ips" in given:
        changes["fixed_ips"] = readdress(call.db, port, given["fixed_ips"])
    port = touch(call.db, PORTS, port, **changes)
    return show_reply(call, "port", view(call, port))


def delete_port(call: Call) -> Reply:
    """A port that a server has is only an admin's to delete; it is then taken out of the server."""
    port = find_owned(call, PORTS, "port", call.params["port_id"])
    if port.device_owner in ROUTER_OWNERS:
        raise service_port_in_use(port)
    in_server = port.device_owner.startswith("compute:")
    if in_server and not call.caller.is_admin:
        raise forbid("delete_port")
    remove_port(call.db, port)
    if in_server:
        call.cloud.work.detach(port.device_id, port.id)
    return Reply(204)


ROUTES = [
    Route("GET", "/v2.0/ports", list_ports),
    Route("POST", "/v2.0/ports", create_port, Access.MEMBER, "create_port"),
    Route("GET", "/v2.0/ports/{port_id}", show_port),
    Route("PUT", "/v2.0/ports/{port_id}", update_port, Access.MEMBER, "update_port"),
    Route("DELETE", "/v2.0/ports/{port_id}", delete_port, Access.MEMBER, "delete_port"),
]
