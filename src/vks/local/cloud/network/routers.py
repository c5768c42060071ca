"""Routers: interfaces on subnets and the static routes that carry pod networks."""

from __future__ import annotations

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request
from vks.local.cloud.http.router import Route
from vks.local.cloud.network.attributes import COMMON, FLAG, UUID, Attribute, Body
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
from vks.local.cloud.network.port_store import make_port, remove_port
from vks.local.cloud.network.quotas import reserve
from vks.local.cloud.network.routes import checked_routes
from vks.local.cloud.network.tables import NETWORKS, PORTS, ROUTERS, Router
from vks.local.cloud.network.zones import check_hints

_ROUTES = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "required": ["destination", "nexthop"],
        "additionalProperties": False,
        "properties": {
            "destination": {"type": "string", "format": "cidr"},
            "nexthop": {"type": "string", "format": "ip"},
        },
    },
}
_GATEWAY = {
    "type": ["object", "null"],
    "required": ["network_id"],
    "properties": {"network_id": UUID, "enable_snat": FLAG},
}
_BODY = Body(
    "router",
    {
        **COMMON,
        "admin_state_up": Attribute(FLAG, True),
        "external_gateway_info": Attribute(_GATEWAY, None),
        "routes": Attribute(_ROUTES, [], post=False),
        "distributed": Attribute(FLAG, False, admin=True),
        "ha": Attribute(FLAG, False, admin=True),
        "availability_zone_hints": Attribute(
            {"type": "array", "items": {"type": "string"}}, [], put=False
        ),
    },
)


def networks_of(db: Database, router_id: str) -> list[str]:
    """The networks on which the router has an interface."""
    ports = PORTS.find(db, device_id=router_id, device_owner="network:router_interface")
    return sorted({port.network_id for port in ports})


def view(call: Call, router: Router) -> Json:
    gateway = None
    if router.external_network_id:
        ports = PORTS.find(call.db, device_id=router.id, device_owner="network:router_gateway")
        gateway = {
            "network_id": router.external_network_id,
            "enable_snat": router.enable_snat,
            "external_fixed_ips": [fixed for port in ports for fixed in port.fixed_ips],
        }
    shown = {
        **base_view(router),
        "admin_state_up": router.admin_state_up,
        "status": "ACTIVE",
        "external_gateway_info": gateway,
        "routes": router.routes,
        "availability_zone_hints": router.availability_zone_hints,
        "availability_zones": router.availability_zone_hints,
    }
    return {**shown, "distributed": False, "ha": False} if call.caller.is_admin else shown


def list_routers(call: Call) -> Reply:
    return list_reply(call, "routers", candidates(call, ROUTERS), view)


def show_router(call: Call) -> Reply:
    router = find_visible(call, ROUTERS, "router", call.params["router_id"])
    return show_reply(call, "router", view(call, router))


def _set_gateway(call: Call, router: Router, wanted: Json | None) -> Router:
    """Exchange the router's port on an external network."""
    for port in PORTS.find(call.db, device_id=router.id, device_owner="network:router_gateway"):
        remove_port(call.db, port)
    if wanted is None:
        return ROUTERS.update(call.db, router, external_network_id=None)
    network = find_visible(call, NETWORKS, "network", wanted["network_id"])
    if not network.external:
        raise bad_request(
            f"Bad router request: Network {network.id} is not an external network.",
            kind="BadRequest",
        )
    make_port(
        call.db,
        network,
        "",  # as Neutron's: the gateway port belongs to no project
        device_id=router.id,
        device_owner="network:router_gateway",
    )
    return ROUTERS.update(
        call.db,
        router,
        external_network_id=network.id,
        enable_snat=wanted.get("enable_snat", True),
    )


def create_router(call: Call) -> Reply:
    given = _BODY.create(call)
    check_hints(call.cloud.settings, given["availability_zone_hints"])
    reserve(call.db, "router", given["project_id"])
    moment = seconds()
    router = Router(
        id=new_uuid(),
        project_id=given["project_id"],
        name=given["name"],
        description=given["description"],
        created_at=moment,
        updated_at=moment,
        revision_number=1,
        admin_state_up=given["admin_state_up"],
        routes=[],
        external_network_id=None,
        enable_snat=True,
        availability_zone_hints=given["availability_zone_hints"],
    )
    ROUTERS.insert(call.db, router)
    if given["external_gateway_info"]:
        router = _set_gateway(call, router, given["external_gateway_info"])
    return show_reply(call, "router", view(call, router), 201)


def update_router(call: Call) -> Reply:
    given = _BODY.update(call)
    router = find_owned(call, ROUTERS, "router", call.params["router_id"])
    if "external_gateway_info" in given:
        router = _set_gateway(call, router, given["external_gateway_info"] or None)
    changes: Json = {
        name: given[name] for name in ("name", "description", "admin_state_up") if name in given
    }
    if "routes" in given:
        changes["routes"] = checked_routes(call.db, router, given["routes"] or [])
    router = touch(call.db, ROUTERS, router, **changes)
    for network_id in networks_of(call.db, router.id):
        call.cloud.work.network(network_id)
    return show_reply(call, "router", view(call, router))


def delete_router(call: Call) -> Reply:
    router = find_owned(call, ROUTERS, "router", call.params["router_id"])
    if networks_of(call.db, router.id):
        raise in_use("RouterInUse", f"Router {router.id} still has ports")
    _set_gateway(call, router, None)
    ROUTERS.delete(call.db, id=router.id)
    return Reply(204)


_PATH = "/v2.0/routers/{router_id}"
ROUTES = [
    Route("GET", "/v2.0/routers", list_routers),
    Route("POST", "/v2.0/routers", create_router, Access.MEMBER, "create_router"),
    Route("GET", _PATH, show_router),
    Route("PUT", _PATH, update_router, Access.MEMBER, "update_router"),
    Route("DELETE", _PATH, delete_router, Access.MEMBER, "delete_router"),
]
