"""Nova: servers, server groups and what servers are chosen from."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import msgspec

from vks.verda.errors import NotFound
from vks.verda.once import Flights, create_once
from vks.verda.owner import owned_name, owner_of, owner_tag
from vks.verda.transport import Service, Transport, unwrap

#: 2.79 (Train): tags at creation (2.52), soft anti-affinity as `policy` (2.64), flavors by
#: value in servers (2.47).
COMPUTE = Service("compute", microversion="2.79")

MAX_USER_DATA = 65535  # bytes after base64


class Fault(msgspec.Struct, frozen=True):
    message: str = ""
    code: int = 0


class ServerFlavor(msgspec.Struct, frozen=True):
    original_name: str = ""
    vcpus: int = 0
    ram: int = 0  # MiB
    disk: int = 0  # GiB


class FixedAddress(msgspec.Struct, frozen=True):
    addr: str
    version: int = 4


class Server(msgspec.Struct, frozen=True):
    """`status` is Nova's word: BUILD, ACTIVE, SHUTOFF, ERROR, DELETED, UNKNOWN and others."""

    id: str
    name: str = ""
    status: str = "UNKNOWN"
    tenant_id: str = ""
    created: str = ""
    zone: str | None = msgspec.field(name="OS-EXT-AZ:availability_zone", default=None)
    task_state: str | None = msgspec.field(name="OS-EXT-STS:task_state", default=None)
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    addresses: dict[str, tuple[FixedAddress, ...]] = {}
    flavor: ServerFlavor = ServerFlavor()
    key_name: str | None = None
    fault: Fault | None = None

    @property
    def owner(self) -> str | None:
        return owner_of(self.tags)

    @property
    def ips(self) -> tuple[str, ...]:
        """Its fixed addresses, in the order of its networks."""
        return tuple(ip.addr for addresses in self.addresses.values() for ip in addresses)


class Flavor(msgspec.Struct, frozen=True):
    id: str
    name: str
    vcpus: int
    ram: int  # MiB
    disk: int = 0  # GiB


class Zone(msgspec.Struct, frozen=True):
    name: str
    available: bool


class Keypair(msgspec.Struct, frozen=True):
    """`type` is "ssh" or "x509"."""

    name: str
    fingerprint: str = ""
    public_key: str = ""
    type: str = "ssh"


class ServerGroup(msgspec.Struct, frozen=True):
    id: str
    name: str
    policy: str = ""
    members: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True):
    """The project's compute quota and what is used of it; -1 is unlimited. RAM in MiB."""

    max_instances: int = msgspec.field(name="maxTotalInstances", default=-1)
    max_cores: int = msgspec.field(name="maxTotalCores", default=-1)
    max_ram: int = msgspec.field(name="maxTotalRAMSize", default=-1)
    max_server_groups: int = msgspec.field(name="maxServerGroups", default=-1)
    instances: int = msgspec.field(name="totalInstancesUsed", default=0)
    cores: int = msgspec.field(name="totalCoresUsed", default=0)
    ram: int = msgspec.field(name="totalRAMUsed", default=0)
    server_groups: int = msgspec.field(name="totalServerGroupsUsed", default=0)


class ServerRequest(NamedTuple):
    """What a server is to be. `user_data` is raw bytes; flavor and image are ids. With
    `volume_gib` it boots from a volume of that size, not from the flavor's disk."""

    name: str
    flavor_id: str
    image_id: str
    port_ids: tuple[str, ...]
    user_data: bytes = b""
    zone: str | None = None
    key_name: str | None = None
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    group_id: str | None = None
    volume_gib: int | None = None


def encode_user_data(user_data: bytes) -> str:
    """User data as Nova wants it. Raises ValueError when it is larger than Nova accepts."""
    encoded = base64.b64encode(user_data).decode()
    if len(encoded) > MAX_USER_DATA:
        raise ValueError(
            f"user data is {len(encoded)} bytes in base64, Nova accepts {MAX_USER_DATA}"
        )
    return encoded


class Compute:
    """Every method raises CloudError."""

    def __init__(self, transport: Transport, flights: Flights) -> None:
        self._transport = transport
        self._flights = flights

    async def servers(self, *, tags: tuple[str, ...] = (), name: str = "") -> list[Server]:
        """The project's servers that carry all of the tags; `name` is a regular expression."""
        params: dict[str, str | int] = {}
        if tags:
            params["tags"] = ",".join(tags)
        if name:
            params["name"] = name
        return await self._transport.list(COMPUTE, "/servers/detail", "servers", Server, params)

    async def server(self, server_id: str) -> Server:
        return await self._transport.get(COMPUTE, f"/servers/{server_id}", "server", Server)

    async def find_server(self, server_id: str) -> Server | None:
        """The server, or None when it does not exist."""
        try:
            return await self.server(server_id)
        except NotFound:
            return None

    async def servers_of(self, owner: str) -> list[Server]:
        """What was made for the owner, oldest first."""
        found = await self.servers(tags=(owner_tag(owner),))
        return sorted(found, key=lambda server: (server.created, server.id))

    async def create_server(self, owner: str, request: ServerRequest) -> str:
        """Make the owner's one server, or find it; its id. Nova works on it after the answer.

        Raises ValueError for user data that is too large.
        """
        body = _server_body(owner, request)

        async def find() -> str | None:
            found = await self.servers_of(owner)
            return found[0].id if found else None

        async def create() -> str:
            answer = await self._transport.request(
                COMPUTE, "POST", "/servers", body=body, read_timeout=60.0
            )
            return unwrap(answer, "server", _Created).id

        return await self._flights.run(("server", owner), lambda: create_once(find, create))

    async def delete_server(self, server_id: str) -> bool:
        """Ask for the server's end; False when it is gone already."""
        return await self._transport.delete(COMPUTE, f"/servers/{server_id}")

    async def console_output(self, server_id: str, lines: int) -> str:
        """The last lines of the server's console. May contain secrets: redact before showing."""
        answer = await self._transport.request(
            COMPUTE,
            "POST",
            f"/servers/{server_id}/action",
            body={"os-getConsoleOutput": {"length": lines}},
        )
        return unwrap(answer, "output", str)

    async def server_groups(self) -> list[ServerGroup]:
        return await self._transport.list(
            COMPUTE, "/os-server-groups", "server_groups", ServerGroup
        )

    async def create_server_group(self, owner: str, name: str, policy: str) -> ServerGroup:
        """Make or find the owner's server group of this name."""
        full_name = owned_name(name, owner)

        async def find() -> ServerGroup | None:
            groups = sorted(await self.server_groups(), key=lambda group: group.id)
            return next((group for group in groups if group.name == full_name), None)

        async def create() -> ServerGroup:
            return await self._transport.post(
                COMPUTE,
                "/os-server-groups",
                "server_group",
                {"name": full_name, "policy": policy},
                ServerGroup,
            )

        return await self._flights.run(("group", full_name), lambda: create_once(find, create))

    async def delete_server_group(self, group_id: str) -> bool:
        return await self._transport.delete(COMPUTE, f"/os-server-groups/{group_id}")

    async def flavors(self) -> list[Flavor]:
        return await self._transport.list(COMPUTE, "/flavors/detail", "flavors", Flavor)

    async def zones(self) -> list[Zone]:
        """The availability zones for servers."""
        raw = await self._transport.list(
            COMPUTE, "/os-availability-zone", "availabilityZoneInfo", dict[str, Any]
        )
        return [Zone(zone["zoneName"], bool(zone["zoneState"]["available"])) for zone in raw]

    async def keypairs(self) -> list[Keypair]:
        """The calling user's key pairs (Nova's belong to users, not to projects)."""
        wrapped = await self._transport.list(COMPUTE, "/os-keypairs", "keypairs", _WrappedKeypair)
        return [item.keypair for item in wrapped]

    async def limits(self) -> Limits:
        limits = await self._transport.get(COMPUTE, "/limits", "limits", _AbsoluteLimits)
        return limits.absolute


class _Created(msgspec.Struct, frozen=True):
    id: str


class _WrappedKeypair(msgspec.Struct, frozen=True):
    keypair: Keypair


class _AbsoluteLimits(msgspec.Struct, frozen=True):
    absolute: Limits


def _server_body(owner: str, request: ServerRequest) -> dict[str, Any]:
    server: dict[str, Any] = {
        "name": request.name,
        "flavorRef": request.flavor_id,
        "imageRef": request.image_id,
        "networks": [{"port": port_id} for port_id in request.port_ids],
        "metadata": {**request.metadata, "vks.owner": owner},
        "tags": [owner_tag(owner), *request.tags],
        "config_drive": True,
    }
    if request.volume_gib is not None:
        # No `imageRef`: Nova would take it for a second disk that wants to be booted from.
        server["imageRef"] = ""
        server["block_device_mapping_v2"] = [_root_volume(request.image_id, request.volume_gib)]
    if request.user_data:
        server["user_data"] = encode_user_data(request.user_data)
    if request.zone:
        server["availability_zone"] = request.zone
    if request.key_name:
        server["key_name"] = request.key_name
    body: dict[str, Any] = {"server": server}
    if request.group_id:
        body["os:scheduler_hints"] = {"group": request.group_id}
    return body


def _root_volume(image_id: str, gib: int) -> dict[str, Any]:
    """Nova asks Cinder for a volume, has the image copied to it, and deletes it with the server
    (Nova's documentation, "Block Device Mapping")."""
    return {
        "boot_index": 0,
        "uuid": image_id,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": gib,
        "delete_on_termination": True,
    }
