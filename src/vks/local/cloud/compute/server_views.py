"""How a server looks, by microversion."""

from __future__ import annotations

import hashlib

from vks.local.cloud.compute.flavors import embedded_view
from vks.local.cloud.compute.tables import Server
from vks.local.cloud.compute.volumes import attached, volume_of
from vks.local.cloud.core.ids import parse_time, seconds
from vks.local.cloud.http.call import Call, Json
from vks.local.cloud.network.tables import NETWORKS, PORTS, SECURITY_GROUPS

_TASK_STATUS = {"rebooting": "REBOOT", "rebooting_hard": "HARD_REBOOT"}
_STATUS = {
    "building": "BUILD",
    "active": "ACTIVE",
    "stopped": "SHUTOFF",
    "error": "ERROR",
    "deleted": "DELETED",
}


def status_of(server: Server) -> str:
    if server.deleted:
        return "DELETED"
    if server.vm_state == "active":
        return _TASK_STATUS.get(server.task_state or "", "ACTIVE")
    return _STATUS[server.vm_state]


def links(call: Call, server: Server) -> list[Json]:
    root = f"{call.base_url}/compute"
    return [
        {"rel": "self", "href": f"{root}/v2.1/servers/{server.id}"},
        {"rel": "bookmark", "href": f"{root}/servers/{server.id}"},
    ]


def brief_view(call: Call, server: Server) -> Json:
    return {"id": server.id, "name": server.name, "links": links(call, server)}


def addresses(call: Call, server: Server) -> Json:
    """Network name -> addresses; with MAC and type as the extended-ips extension adds them."""
    found: Json = {}
    for interface in server.interfaces:
        port = PORTS.get(call.db, id=interface.port_id)
        if port is None or interface.state == "leaving":
            continue
        network = NETWORKS.get(call.db, id=port.network_id)
        name = network.name if network else port.network_id
        for fixed in port.fixed_ips:
            address = {
                "addr": fixed["ip_address"],
                "version": 6 if ":" in fixed["ip_address"] else 4,
                "OS-EXT-IPS-MAC:mac_addr": port.mac_address,
                "OS-EXT-IPS:type": "fixed",
            }
            found.setdefault(name, []).append(address)
    return found


def _groups(call: Call, server: Server) -> list[Json]:
    group_ids: set[str] = set()
    for interface in server.interfaces:
        port = PORTS.get(call.db, id=interface.port_id)
        group_ids.update(port.security_group_ids if port else ())
    return [{"name": row.name} for row in SECURITY_GROUPS.find(call.db, id=list(group_ids))]


def _host_id(server: Server) -> str:
    if not server.host:
        return ""
    data = (server.project_id + server.host).encode()
    return hashlib.sha224(data).hexdigest()


def full_view(call: Call, server: Server, *, single: bool = False) -> Json:
    """`single`: GET of one server, which shows the user data to an admin besides."""
    volume = volume_of(call.db, server.id)
    view: Json = {
        "id": server.id,
        "name": server.name,
        "status": status_of(server),
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "metadata": server.metadata,
        "hostId": _host_id(server),
        "image": _image(call, server) if volume is None else "",
        "flavor": embedded_view(call, server.flavor),
        "created": server.created_at,
        "updated": server.updated_at,
        "addresses": addresses(call, server),
        "accessIPv4": "",
        "accessIPv6": "",
        "links": links(call, server),
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": server.zone,
        "config_drive": "True" if server.config_drive else "",
        "key_name": server.key_name,
        "OS-SRV-USG:launched_at": _bare(server.launched_at),
        "OS-SRV-USG:terminated_at": _bare(server.terminated_at),
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-EXT-STS:power_state": server.power_state,
        "os-extended-volumes:volumes_attached": attached(call, volume),
    }
    groups = _groups(call, server)
    if groups:
        view["security_groups"] = groups
    if status_of(server) in ("ACTIVE", "BUILD", "REBOOT", "HARD_REBOOT"):
        view["progress"] = 0
    if server.fault and status_of(server) in ("ERROR", "DELETED"):
        view["fault"] = {
            "code": 500,
            "created": server.fault["created"],
            "message": server.fault["message"],
        }
    _newer(call, server, view)
    if call.caller.is_admin:
        _for_admins(call, server, view, single)
    return view


def _image(call: Call, server: Server) -> Json:
    href = f"{call.base_url}/compute/images/{server.image_id}"
    return {"id": server.image_id, "links": [{"rel": "bookmark", "href": href}]}


def _newer(call: Call, server: Server, view: Json) -> None:
    if call.at_least(9):
        view["locked"] = False
    if call.at_least(19):
        view["description"] = server.description
    if call.at_least(26):
        view["tags"] = server.tags
    if call.at_least(63):
        view["trusted_image_certificates"] = None
    if call.at_least(71):
        view["server_groups"] = [server.group_id] if server.group_id else []
    if call.at_least(73):
        view["locked_reason"] = None
    if call.at_least(90):
        view["OS-EXT-SRV-ATTR:hostname"] = server.hostname
    if call.at_least(96):
        view["pinned_availability_zone"] = server.zone


def _for_admins(call: Call, server: Server, view: Json, single: bool) -> None:
    view |= {
        "OS-EXT-SRV-ATTR:host": server.host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server.host,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{server.id[:8]}",
    }
    if call.at_least(16):
        view["host_status"] = "UP"
    if call.at_least(3):
        view |= {
            "OS-EXT-SRV-ATTR:hostname": server.hostname,
            "OS-EXT-SRV-ATTR:reservation_id": server.reservation_id,
            "OS-EXT-SRV-ATTR:launch_index": 0,
            "OS-EXT-SRV-ATTR:kernel_id": "",
            "OS-EXT-SRV-ATTR:ramdisk_id": "",
            "OS-EXT-SRV-ATTR:root_device_name": "/dev/sda",
        }
        if single:
            view["OS-EXT-SRV-ATTR:user_data"] = server.user_data


def _bare(moment: str | None) -> str | None:
    """The usage extension prints its times without a zone and with microseconds."""
    if moment is None:
        return None
    return seconds(parse_time(moment)).rstrip("Z") + ".000000"
