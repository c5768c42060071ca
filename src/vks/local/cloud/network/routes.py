"""Extra routes of routers (`extraroute` and `extraroute-atomic`)."""

from __future__ import annotations

import ipaddress

from vks.local.cloud.core.database import Database
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request
from vks.local.cloud.http.router import Route
from vks.local.cloud.http.schema import Invalid, check
from vks.local.cloud.network.errors import malformed
from vks.local.cloud.network.listing import find_owned, touch
from vks.local.cloud.network.quotas import reserve
from vks.local.cloud.network.tables import PORTS, ROUTERS, SUBNETS, Router

_SCHEMA = {
    "type": "object",
    "required": ["router"],
    "properties": {
        "router": {
            "type": "object",
            "required": ["routes"],
            "additionalProperties": False,
            "properties": {
                "routes": {
                    "type": "array",
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
            },
        }
    },
}


def checked_routes(
    db: Database, router: Router, wanted: list[dict[str, str]]
) -> list[dict[str, str]]:
    """The routes without repetitions; ApiError 400 unless each next hop is on an interface."""
    ports = PORTS.find(db, device_id=router.id)
    fixed = [ip for port in ports for ip in port.fixed_ips]
    own = {ip["ip_address"] for ip in fixed}
    cidrs = [
        ipaddress.ip_network(subnet.cidr)
        for subnet in SUBNETS.find(db, id=[ip["subnet_id"] for ip in fixed])
    ]
    routes: list[dict[str, str]] = []
    for route in wanted:
        hop = ipaddress.ip_address(route["nexthop"])
        if not any(hop in cidr for cidr in cidrs):
            raise _invalid(wanted, "the nexthop is not connected with router")
        if route["nexthop"] in own:
            raise _invalid(wanted, "the nexthop is used by router")
        if route not in routes:
            routes.append({"destination": route["destination"], "nexthop": route["nexthop"]})
    reserve(db, "router_route", router.project_id, len(routes) - len(router.routes))
    return routes


def _invalid(routes: list[dict[str, str]], reason: str) -> Exception:
    return bad_request(f"Invalid format for routes: {routes}, {reason}", kind="InvalidRoutes")


def _wanted(call: Call) -> list[dict[str, str]]:
    try:
        check(_SCHEMA, call.body)
    except Invalid as wrong:
        raise malformed(f"Invalid input for routes. Reason: {wrong.message}.") from wrong
    routes: list[dict[str, str]] = call.body["router"]["routes"]
    return routes


def _write(call: Call, router: Router, routes: list[dict[str, str]]) -> Reply:
    router = touch(call.db, ROUTERS, router, routes=checked_routes(call.db, router, routes))
    for port in PORTS.find(call.db, device_id=router.id, device_owner="network:router_interface"):
        call.cloud.work.network(port.network_id)
    view: Json = {
        "id": router.id,
        "name": router.name,
        "routes": router.routes,
        "project_id": router.project_id,
        "tenant_id": router.project_id,
        "revision_number": router.revision_number,
    }
    return Reply(body={"router": view})


def add_routes(call: Call) -> Reply:
    router = find_owned(call, ROUTERS, "router", call.params["router_id"])
    return _write(call, router, [*router.routes, *_wanted(call)])


def remove_routes(call: Call) -> Reply:
    """Routes that are not there count as removed."""
    router = find_owned(call, ROUTERS, "router", call.params["router_id"])
    gone = _wanted(call)
    return _write(call, router, [route for route in router.routes if route not in gone])


_PATH = "/v2.0/routers/{router_id}"
ROUTES = [
    Route("PUT", _PATH + "/add_extraroutes", add_routes, Access.MEMBER, "add_extraroutes"),
    Route("PUT", _PATH + "/remove_extraroutes", remove_routes, Access.MEMBER, "remove_extraroutes"),
]
