"""What Nova remembers."""

from __future__ import annotations

from vks.local.cloud.core.table import Row, Table

#: The extra spec by which a flavor asks for hollow servers. Operators of Nova give special hosts a
#: trait of their own, which flavors then require (Nova's "Flavors", extra specs `trait:…`).
HOLLOW_TRAIT = "trait:CUSTOM_HOLLOW"


class Flavor(Row, frozen=True, kw_only=True):
    id: str
    name: str
    ram: int  # MiB
    disk: int  # GiB
    vcpus: int
    description: str | None = None
    extra_specs: dict[str, str] = {}


class Keypair(Row, frozen=True, kw_only=True):
    user_id: str
    name: str
    kind: str
    public_key: str
    fingerprint: str
    created_at: str


class Interface(Row, frozen=True, kw_only=True):
    """A server's hold on a port. `owned` ports die with the server.

    `state`: pending (to be plugged), plugged, or leaving (to be unplugged).
    """

    port_id: str
    owned: bool
    state: str = "pending"


class Server(Row, frozen=True, kw_only=True):
    id: str
    project_id: str
    user_id: str
    name: str
    hostname: str
    description: str | None
    flavor: Flavor  # as it was when the server was made
    image_id: str
    key_name: str | None
    public_key: str | None
    metadata: dict[str, str]
    tags: list[str]
    user_data: str | None  # base64
    config_drive: bool
    zone: str
    host: str
    group_id: str | None
    security_groups: list[str]
    interfaces: list[Interface]
    vm_state: str
    task_state: str | None
    power_state: int
    fault: dict[str, str] | None
    reservation_id: str
    created_at: str
    updated_at: str
    launched_at: str | None = None
    terminated_at: str | None = None
    deleted: bool = False


class Volume(Row, frozen=True, kw_only=True):
    """The root volume of a server that has one."""

    server_id: str
    id: str
    size: int  # GiB


class ServerGroup(Row, frozen=True, kw_only=True):
    id: str
    project_id: str
    user_id: str
    name: str
    policy: str
    max_server_per_host: int | None = None


class ComputeQuota(Row, frozen=True, kw_only=True):
    project_id: str
    resource: str
    maximum: int  # -1: no limit


FLAVORS = Table("flavors", Flavor, constraints=("UNIQUE (name)",))
KEYPAIRS = Table("keypairs", Keypair, key=("user_id", "name"))
SERVERS = Table("servers", Server, indexes=("project_id", "group_id"), large=("user_data",))
VOLUMES = Table("volumes", Volume, key=("server_id",))
SERVER_GROUPS = Table("server_groups", ServerGroup, indexes=("project_id",))
COMPUTE_QUOTAS = Table("compute_quotas", ComputeQuota, key=("project_id", "resource"))

COMPUTE_TABLES = (FLAVORS, KEYPAIRS, SERVERS, VOLUMES, SERVER_GROUPS, COMPUTE_QUOTAS)
