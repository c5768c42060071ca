"""POST /servers: everything is checked, placed and recorded; a worker does the rest."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from vks.local.cloud.compute.nics import groups_for, interfaces_for
from vks.local.cloud.compute.placement import Placed, choose_host
from vks.local.cloud.compute.quotas import limit_of, reserve_servers
from vks.local.cloud.compute.server_groups import find_group
from vks.local.cloud.compute.server_request import parse_request
from vks.local.cloud.compute.server_views import links
from vks.local.cloud.compute.tables import (
    FLAVORS,
    KEYPAIRS,
    SERVERS,
    VOLUMES,
    Flavor,
    Server,
    ServerGroup,
    Volume,
)
from vks.local.cloud.compute.volumes import Boot, boot_of, check_size
from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, forbidden
from vks.local.cloud.http.router import Route
from vks.local.cloud.image.tables import IMAGES, Image

NO_VALID_HOST = "No valid host was found. There are not enough hosts available."


def create_servers(call: Call) -> Reply:
    given, hints = parse_request(call)
    flavor = _flavor(call, str(given["flavorRef"]))
    boot = boot_of(given)
    check_size(boot.volume, _image(call, boot, flavor))
    public_key = _public_key(call, given.get("key_name"))
    group = _group(call, hints)
    zone = _zone(call, given.get("availability_zone"))
    if len(given.get("metadata", {})) > limit_of(call.db, call.caller.project, "metadata_items"):
        raise forbidden("Maximum number of metadata items exceeds the quota.")
    count = int(given.get("max_count") or given.get("min_count") or 1)
    reserve_servers(call.db, call.caller.project, flavor, count)
    reservation = f"r-{secrets.token_hex(4)}"
    servers = []
    for number in range(1, count + 1):
        name = given["name"] if count == 1 else f"{given['name']}-{number}"
        server = _record(call, given, flavor, boot, public_key, group, zone, reservation, name)
        servers.append(server)
        if server.vm_state == "building":
            call.cloud.work.server(server.id)
    if str(given.get("return_reservation_id", "")).lower() in ("true", "1"):
        return Reply(202, {"reservation_id": reservation})
    return _answer(call, given, servers)


def _answer(call: Call, given: Json, servers: Sequence[Server]) -> Reply:
    server = servers[0]
    view: Json = {
        "id": server.id,
        "links": links(call, server),
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": given.get("security_groups", [{"name": "default"}]),
        "adminPass": secrets.token_urlsafe(9),
    }
    location = f"{call.base_url}/compute/v2.1/servers/{server.id}"
    return Reply(202, {"server": view}, {"Location": location})


def _record(
    call: Call,
    given: Json,
    flavor: Flavor,
    boot: Boot,
    public_key: str | None,
    group: ServerGroup | None,
    zone: str | None,
    reservation: str,
    name: str,
) -> Server:
    """Write one server down; without a valid host it is an ERROR from the start, as in Nova."""
    server_id = new_uuid()
    others = [
        Placed(*found) for found in SERVERS.pick(call.db, "host", "zone", "group_id", deleted=False)
    ]
    open_zones = {
        name: hosts
        for name, hosts in call.cloud.settings.zones.items()
        if not call.cloud.faults.full(name)
    }
    placed = choose_host(open_zones, others, zone, group)
    moment = seconds()
    groups = groups_for(call, given.get("security_groups"))
    interfaces = []
    if placed is not None:
        interfaces = interfaces_for(call, given.get("networks"), groups, server_id, *placed)
    fault = None if placed else {"message": NO_VALID_HOST, "created": moment}
    drive = str(given.get("config_drive", "")).lower() in ("true", "1")
    server = Server(
        id=server_id,
        project_id=call.caller.project,
        user_id=call.caller.user_id,
        name=name,
        hostname=given.get("hostname") or _hostname(name, server_id),
        description=given.get("description", None if call.at_least(19) else name),
        flavor=flavor,
        image_id=boot.image_id,
        key_name=given.get("key_name"),
        public_key=public_key,
        metadata=given.get("metadata", {}),
        tags=given.get("tags", []),
        user_data=given.get("user_data"),
        config_drive=drive,
        zone=placed[0] if placed else (zone or ""),
        host=placed[1] if placed else "",
        group_id=group.id if group else None,
        security_groups=[entry["name"] for entry in given.get("security_groups", [])],
        interfaces=interfaces,
        vm_state="building" if placed else "error",
        task_state="spawning" if placed else None,
        power_state=0,
        fault=fault,
        reservation_id=reservation,
        created_at=moment,
        updated_at=moment,
    )
    if boot.volume is not None:
        VOLUMES.insert(call.db, Volume(server_id=server_id, id=new_uuid(), size=boot.volume))
    return SERVERS.insert(call.db, server)


def _hostname(name: str, server_id: str) -> str:
    """As Nova sanitizes a display name into a DNS label."""
    cleaned = re.sub(r"[ _.]", "-", name)
    cleaned = re.sub(r"[^\w-]+", "", cleaned, flags=re.ASCII).lower().strip("-")
    return cleaned[:63].rstrip("-") or f"server-{server_id}"


def _flavor(call: Call, flavor_id: str) -> Flavor:
    flavor = FLAVORS.get(call.db, id=flavor_id)
    if flavor is None:
        raise bad_request(f"Flavor {flavor_id} could not be found.")
    return flavor


def _image(call: Call, boot: Boot, flavor: Flavor) -> Image:
    image = IMAGES.get(call.db, id=boot.image_id)
    public = image is not None and (
        image.visibility == "public" or image.project_id == call.caller.project
    )
    if image is None or not public:
        if boot.volume is not None:
            raise bad_request(
                f"Block Device Mapping is Invalid: failed to get image {boot.image_id}."
            )
        raise bad_request("Can not find requested image")
    if image.min_ram > flavor.ram:
        raise bad_request("Flavor's memory is too small for requested image.")
    if image.status != "active":
        raise bad_request(f"Image {boot.image_id} is not active.")
    return image


def _public_key(call: Call, key_name: str | None) -> str | None:
    if key_name is None:
        return None
    keypair = KEYPAIRS.get(call.db, user_id=call.caller.user_id, name=key_name)
    if keypair is None:
        raise bad_request("Invalid key_name provided.")
    return keypair.public_key


def _group(call: Call, hints: Json) -> ServerGroup | None:
    if "group" not in hints:
        return None
    group = find_group(call, hints["group"])
    if group is None:
        raise bad_request(f"Instance group {hints['group']} could not be found.")
    members = SERVERS.count(call.db, group_id=group.id, deleted=False)
    if members >= limit_of(call.db, call.caller.project, "server_group_members"):
        raise forbidden("Quota exceeded, too many servers in group")
    return group


def _zone(call: Call, zone: str | None) -> str | None:
    """`ZONE[:HOST]`, of which the host is an admin's business and not offered here."""
    if zone is None:
        return None
    if zone not in call.cloud.settings.zones:
        raise bad_request("The requested availability zone is not available")
    return zone


ROUTES = [
    Route("POST", "/v2.1/servers", create_servers, Access.MEMBER, "os_compute_api:servers:create")
]
