"""Networks."""

from __future__ import annotations

from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.router import Route
from vks.local.cloud.network.attributes import COMMON, FLAG, NOT_GIVEN, Attribute, Body
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
from vks.local.cloud.network.security_groups import ensure_default_group
from vks.local.cloud.network.tables import NETWORKS, PORTS, SUBNETS, Network
from vks.local.cloud.network.zones import check_hints

_BODY = Body(
    "network",
    {
        **COMMON,
        "admin_state_up": Attribute(FLAG, True),
        "shared": Attribute(FLAG, False, admin=True),
        "router:external": Attribute(FLAG, False, admin=True),
        "mtu": Attribute({"type": "integer", "minimum": 68, "maximum": 9000}, 1500),
        "port_security_enabled": Attribute(FLAG, True),
        "availability_zone_hints": Attribute(
            {"type": "array", "items": {"type": "string"}}, [], put=False
        ),
        "provider:network_type": Attribute({"type": "string"}, NOT_GIVEN, admin=True),
        "provider:physical_network": Attribute({"type": "string"}, NOT_GIVEN, admin=True),
        "provider:segmentation_id": Attribute({"type": "integer"}, NOT_GIVEN, admin=True),
        "is_default": Attribute(FLAG, False, admin=True),
    },
)


def view(call: Call, network: Network) -> Json:
    subnets = SUBNETS.find(call.db, network_id=network.id)
    shown: Json = {
        **base_view(network),
        "admin_state_up": network.admin_state_up,
        "status": "ACTIVE",
        "shared": network.shared,
        "router:external": network.external,
        "mtu": network.mtu,
        "port_security_enabled": network.port_security_enabled,
        "subnets": [subnet.id for subnet in subnets],
        "availability_zone_hints": network.availability_zone_hints,
        "availability_zones": network.availability_zone_hints,
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "is_default": False,
    }
    if call.caller.is_admin:
        shown |= {
            "provider:network_type": "local",
            "provider:physical_network": None,
            "provider:segmentation_id": None,
        }
    return shown


def list_networks(call: Call) -> Reply:
    ensure_default_group(call.db, call.caller.project)
    return list_reply(call, "networks", candidates(call, NETWORKS), view)


def show_network(call: Call) -> Reply:
    network = find_visible(call, NETWORKS, "network", call.params["network_id"])
    return show_reply(call, "network", view(call, network))


def create_network(call: Call) -> Reply:
    given = _BODY.create(call)
    check_hints(call.cloud.settings, given["availability_zone_hints"])
    reserve(call.db, "network", given["project_id"])
    ensure_default_group(call.db, given["project_id"])
    moment = seconds()
    network = Network(
        id=new_uuid(),
        project_id=given["project_id"],
        name=given["name"],
        description=given["description"],
        created_at=moment,
        updated_at=moment,
        revision_number=1,
        admin_state_up=given["admin_state_up"],
        shared=given["shared"],
        external=given["router:external"],
        mtu=given["mtu"],
        port_security_enabled=given["port_security_enabled"],
        availability_zone_hints=given["availability_zone_hints"],
    )
    NETWORKS.insert(call.db, network)
    return show_reply(call, "network", view(call, network), 201)


def update_network(call: Call) -> Reply:
    given = _BODY.update(call)
    network = find_owned(call, NETWORKS, "network", call.params["network_id"])
    if "router:external" in given:
        given["external"] = given.pop("router:external")
    changes = {name: value for name, value in given.items() if name in NETWORKS.columns}
    network = touch(call.db, NETWORKS, network, **changes)
    return show_reply(call, "network", view(call, network))


def delete_network(call: Call) -> Reply:
    network = find_owned(call, NETWORKS, "network", call.params["network_id"])
    ports = PORTS.find(call.db, network_id=network.id)
    if ports:
        ids = ", ".join(port.id for port in ports)
        raise in_use(
            "NetworkInUse",
            f"Unable to complete operation on network {network.id}. "
            "There are one or more ports still in use on the network, "
            f"id for these ports is: {ids}.",
        )
    SUBNETS.delete(call.db, network_id=network.id)
    NETWORKS.delete(call.db, id=network.id)
    call.cloud.work.network(network.id)
    return Reply(204)


ROUTES = [
    Route("GET", "/v2.0/networks", list_networks),
    Route("POST", "/v2.0/networks", create_network, Access.MEMBER, "create_network"),
    Route("GET", "/v2.0/networks/{network_id}", show_network),
    Route("PUT", "/v2.0/networks/{network_id}", update_network, Access.MEMBER, "update_network"),
    Route("DELETE", "/v2.0/networks/{network_id}", delete_network, Access.MEMBER, "delete_network"),
]
