"""Hot-plugging: `os-interface` of a server."""

from __future__ import annotations

import msgspec

from vks.local.cloud.compute.errors import validate, wrong_state
from vks.local.cloud.compute.nics import new_port, take_port
from vks.local.cloud.compute.server_lookup import find_server
from vks.local.cloud.compute.tables import SERVERS, Interface, Server
from vks.local.cloud.core.ids import seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, not_found
from vks.local.cloud.http.router import Route
from vks.local.cloud.network.tables import PORTS

_UUID = {"type": "string", "format": "uuid"}
_ATTACH: Json = {
    "type": "object",
    "required": ["interfaceAttachment"],
    "properties": {
        "interfaceAttachment": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "net_id": _UUID,
                "port_id": _UUID,
                "tag": {"type": "string"},
                "fixed_ips": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["ip_address"],
                        "properties": {"ip_address": {"type": "string", "format": "ip"}},
                    },
                },
            },
        }
    },
}


def _view(call: Call, interface: Interface) -> Json | None:
    port = PORTS.get(call.db, id=interface.port_id)
    if port is None or interface.state == "leaving":
        return None
    return {
        "port_id": port.id,
        "net_id": port.network_id,
        "mac_addr": port.mac_address,
        "port_state": port.status,
        "fixed_ips": port.fixed_ips,
        **({"tag": None} if call.at_least(70) else {}),
    }


def list_interfaces(call: Call) -> Reply:
    views = [_view(call, interface) for interface in find_server(call).interfaces]
    return Reply(body={"interfaceAttachments": [view for view in views if view]})


def _interface(call: Call, server: Server) -> Interface:
    wanted = call.params["port_id"]
    for interface in server.interfaces:
        if interface.port_id == wanted and interface.state != "leaving":
            return interface
    raise not_found(f"Instance {server.id} does not have a port with id {wanted}")


def show_interface(call: Call) -> Reply:
    view = _view(call, _interface(call, find_server(call)))
    return Reply(body={"interfaceAttachment": view})


def attach(call: Call) -> Reply:
    validate(_ATTACH, call.body)
    given = call.body["interfaceAttachment"]
    server = find_server(call)
    if server.vm_state not in ("active", "stopped"):
        raise wrong_state("attach_interface", server.id, "vm_state", server.vm_state)
    if "port_id" in given and "net_id" in given:
        raise bad_request("Must not input both network_id and port_id")
    if "fixed_ips" in given and "net_id" not in given:
        raise bad_request("Must input network_id when request IP address")
    if "port_id" in given:
        interface = take_port(call, given["port_id"], server.id, server.zone, server.host)
    elif "net_id" in given:
        address = given["fixed_ips"][0]["ip_address"] if "fixed_ips" in given else None
        interface = new_port(
            call, given["net_id"], address, None, server.id, server.zone, server.host
        )
    else:
        raise bad_request("Either port_id or net_id must be given")
    SERVERS.update(
        call.db, server, interfaces=[*server.interfaces, interface], updated_at=seconds()
    )
    call.cloud.work.server(server.id)
    return Reply(body={"interfaceAttachment": _view(call, interface)})


def detach(call: Call) -> Reply:
    server = find_server(call)
    leaving = _interface(call, server)
    if server.vm_state not in ("active", "stopped"):
        raise wrong_state("detach_interface", server.id, "vm_state", server.vm_state)
    SERVERS.update(
        call.db, server, interfaces=mark_leaving(server, leaving.port_id), updated_at=seconds()
    )
    call.cloud.work.server(server.id)
    return Reply(202)


def mark_leaving(server: Server, port_id: str) -> list[Interface]:
    return [
        msgspec.structs.replace(interface, state="leaving")
        if interface.port_id == port_id
        else interface
        for interface in server.interfaces
    ]


_PATH = "/v2.1/servers/{server_id}/os-interface"
_ACTION = "os_compute_api:os-attach-interfaces"
ROUTES = [
    Route("GET", _PATH, list_interfaces),
    Route("POST", _PATH, attach, Access.MEMBER, f"{_ACTION}:create"),
    Route("GET", _PATH + "/{port_id}", show_interface),
    Route("DELETE", _PATH + "/{port_id}", detach, Access.MEMBER, f"{_ACTION}:delete"),
]
