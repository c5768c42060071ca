"""Putting a router on subnets and taking it off."""

from __future__ import annotations

import ipaddress

from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, not_found
from vks.local.cloud.http.router import Route
from vks.local.cloud.network.errors import in_use
from vks.local.cloud.network.listing import find_owned, find_visible, touch
from vks.local.cloud.network.port_store import make_port, remove_port
from vks.local.cloud.network.tables import NETWORKS, PORTS, ROUTERS, SUBNETS, Port, Router

_OWNER = "network:router_interface"


def _view(router: Router, port: Port) -> Json:
    subnet_ids = [fixed["subnet_id"] for fixed in port.fixed_ips]
    return {
        "id": router.id,
        "project_id": router.project_id,
        "tenant_id": router.project_id,
        "port_id": port.id,
        "network_id": port.network_id,
        "subnet_id": subnet_ids[0],
        "subnet_ids": subnet_ids,
        "tags": router.tags,
    }


def _bad(message: str) -> Exception:
    return bad_request(f"Bad router request: {message}.", kind="BadRequest")


def _request(call: Call) -> tuple[str | None, str | None]:
    """(subnet id, port id), of which one is given."""
    body = call.body if isinstance(call.body, dict) else {}
    subnet_id, port_id = body.get("subnet_id"), body.get("port_id")
    if not subnet_id and not port_id:
        raise _bad("Either subnet_id or port_id must be specified")
    return subnet_id, port_id


def _by_subnet(call: Call, router: Router, subnet_id: str) -> Port:
    subnet = find_visible(call, SUBNETS, "subnet", subnet_id)
    if not subnet.gateway_ip:
        raise _bad("Subnet for router interface must have a gateway IP")
    for port in PORTS.find(call.db, device_id=router.id, device_owner=_OWNER):
        for fixed in port.fixed_ips:
            if fixed["subnet_id"] == subnet.id:
                raise _bad(f"Router already has a port on subnet {subnet.id}")
            other = SUBNETS.get(call.db, id=fixed["subnet_id"])
            if other and ipaddress.ip_network(other.cidr).overlaps(
                ipaddress.ip_network(subnet.cidr)
            ):
                raise _bad(
                    f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {other.cidr} "
                    f"of subnet {other.id}"
                )
    network = find_visible(call, NETWORKS, "network", subnet.network_id)
    return make_port(
        call.db,
        network,
        router.project_id,
        fixed_ips=[{"subnet_id": subnet.id, "ip_address": subnet.gateway_ip}],
        device_id=router.id,
        device_owner=_OWNER,
    )


def _by_port(call: Call, router: Router, port_id: str) -> Port:
    port = find_owned(call, PORTS, "port", port_id)
    if port.device_id:
        raise in_use(
            "PortInUse",
            f"Unable to complete operation on port {port.id} for network {port.network_id}. "
            f"Port already has an attached device {port.device_id}.",
        )
    return touch(
        call.db,
        PORTS,
        port,
        device_id=router.id,
        device_owner=_OWNER,
        status="ACTIVE",
        security_group_ids=[],
        port_security_enabled=False,
    )


def add_interface(call: Call) -> Reply:
    router = find_owned(call, ROUTERS, "router", call.params["router_id"])
    subnet_id, port_id = _request(call)
    if subnet_id and port_id:
        raise _bad("Cannot specify both subnet-id and port-id")
    port = _by_port(call, router, port_id) if port_id else _by_subnet(call, router, str(subnet_id))
    call.cloud.work.network(port.network_id)
    return Reply(body=_view(router, port))


def _interface(call: Call, router: Router) -> Port:
    subnet_id, port_id = _request(call)
    for port in PORTS.find(call.db, device_id=router.id, device_owner=_OWNER):
        on_subnet = any(fixed["subnet_id"] == subnet_id for fixed in port.fixed_ips)
        if port_id in (None, port.id) and (subnet_id is None or on_subnet):
            return port
    if port_id:
        raise not_found(
            f"Router {router.id} does not have an interface with id {port_id}",
            kind="RouterInterfaceNotFound",
        )
    raise not_found(
        f"Router {router.id} has no interface on subnet {subnet_id}",
        kind="RouterInterfaceNotFoundForSubnet",
    )


def remove_interface(call: Call) -> Reply:
    router = find_owned(call, ROUTERS, "router", call.params["router_id"])
    port = _interface(call, router)
    for fixed in port.fixed_ips:
        subnet = SUBNETS.get(call.db, id=fixed["subnet_id"])
        cidr = ipaddress.ip_network(subnet.cidr) if subnet else None
        if cidr and any(ipaddress.ip_address(r["nexthop"]) in cidr for r in router.routes):
            raise in_use(
                "RouterInterfaceInUseByRoute",
                f"Router interface for subnet {fixed['subnet_id']} on router {router.id} cannot "
                "be deleted, as it is required by one or more routes.",
            )
    remove_port(call.db, port)
    call.cloud.work.network(port.network_id)
    return Reply(body=_view(router, port))


_PATH = "/v2.0/routers/{router_id}"
ROUTES = [
    Route(
        "PUT", _PATH + "/add_router_interface", add_interface, Access.MEMBER, "add_router_interface"
    ),
    Route(
        "PUT",
        _PATH + "/remove_router_interface",
        remove_interface,
        Access.MEMBER,
        "remove_router_interface",
    ),
]
