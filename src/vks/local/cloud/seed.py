"""The seed: what the region holds from its first start.

A YAML (or JSON) file, mode 0600 since it carries passwords, written by whoever makes the
region. It is applied at every start and is idempotent: what is missing is made, passwords,
flavors and images are brought to what it says, nothing is removed.

    region: tokyo
    zones:                              # availability zone -> its hosts (simulated)
      tokyo-1: [tokyo-1-hv1, tokyo-1-hv2, tokyo-1-hv3]
    back_end: lxc                       # lxc, hollow, or records (nothing behind the API)
    hollow_workers: {real_servers: 48}  # optional, with lxc: hollow servers for flavors with
                                        # trait:CUSTOM_HOLLOW=required; how many others there may be
    url: http://127.0.0.1:7500          # optional; the catalog's base, default http://127.0.0.1:PORT
    service_endpoints: {kubernetes: http://127.0.0.1:7080/v1}
    operator_token: …                   # optional; needed for /admin when given
    token_lifetime: 3600                # optional, seconds
    vip_range: 10.60.0.0/24             # optional
    name_servers: []                    # optional; what servers get as DNS, default the gateway
    subnet_pool: {prefixes: [10.60.1.0/24, …], default_prefixlen: 24}   # optional
    projects:
    - {name: admin}
    - name: test
      quotas: {compute: {instances: 50}, network: {port: 500}, lbaas: {loadbalancers: 10}}
    users:
    - name: admin
      password: …
      default_project: admin            # optional
      roles: [{role: admin, project: admin}]
    - name: vks
      password: …
      roles: [{role: admin, domain: Default, inherited: true}, {role: admin, project: admin}]
    flavors:
    - {name: small, id: "1", vcpus: 1, ram: 2048, disk: 10, extra_specs: {}}     # id optional
    images:
    - name: debian-12-k8s-v1.36.3
      path: /…/subvolume                # what the lxc back end boots from
      properties: {os_distro: debian, vks_kubernetes_version: v1.36.3}
    networks:                           # optional
    - {name: public, project: admin, shared: false, external: true, cidr: 10.60.255.0/24}

Roles are admin, manager, member, reader and service; the domain is always `default`/Default.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Literal

import msgspec

from vks.local.cloud.core.settings import Settings


class SeedError(ValueError):
    """The seed cannot be used; the message says why."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the file's parts: a misspelt field is an error."""


class Grant(_Part, frozen=True, kw_only=True):
    role: str
    project: str | None = None
    domain: str | None = None
    inherited: bool = False


class SeedUser(_Part, frozen=True, kw_only=True):
    name: str
    password: str
    default_project: str | None = None
    roles: list[Grant] = []


class Quotas(_Part, frozen=True, kw_only=True):
    compute: dict[str, int] = {}
    network: dict[str, int] = {}
    lbaas: dict[str, int] = {}


class SeedProject(_Part, frozen=True, kw_only=True):
    name: str
    description: str = ""
    quotas: Quotas = Quotas()


class SeedFlavor(_Part, frozen=True, kw_only=True):
    name: str
    vcpus: int
    ram: int  # MiB
    disk: int = 10  # GiB
    id: str | None = None
    extra_specs: dict[str, str] = {}


class SeedImage(_Part, frozen=True, kw_only=True):
    name: str
    id: str | None = None
    path: str = ""
    properties: dict[str, str] = {}
    min_ram: int = 0  # MiB
    min_disk: int = 0  # GiB
    size: int | None = None  # bytes
    tags: list[str] = []


class SeedNetwork(_Part, frozen=True, kw_only=True):
    name: str
    project: str
    shared: bool = False
    external: bool = False
    cidr: str | None = None


#: What servers' subnets are cut from unless it is said otherwise: networks of all sizes.
POOL_PREFIXES = [f"10.60.{2**bit}.0/{24 - bit}" for bit in range(8)]


class SeedPool(_Part, frozen=True, kw_only=True):
    prefixes: list[str]
    default_prefixlen: int = 24
    min_prefixlen: int = 20


class HollowWorkers(_Part, frozen=True, kw_only=True):
    real_servers: int


class Seed(_Part, frozen=True, kw_only=True):
    region: str
    zones: dict[str, list[str]]
    back_end: Literal["lxc", "hollow", "records"] = "records"
    hollow_workers: HollowWorkers | None = None
    url: str | None = None
    service_endpoints: dict[str, str] = {}
    operator_token: str = ""
    token_lifetime: float = 3600.0
    vip_range: str = "10.60.0.0/24"
    name_servers: list[str] = []
    subnet_pool: SeedPool = SeedPool(prefixes=POOL_PREFIXES)
    projects: list[SeedProject] = []
    users: list[SeedUser] = []
    flavors: list[SeedFlavor] = []
    images: list[SeedImage] = []
    networks: list[SeedNetwork] = []

    def settings(self, url: str) -> Settings:
        return Settings(
            region=self.region,
            zones={zone: tuple(hosts) for zone, hosts in self.zones.items()},
            url=(self.url or url).rstrip("/"),
            vip_range=self.vip_range,
            service_endpoints=self.service_endpoints,
            operator_token=self.operator_token,
            token_lifetime=self.token_lifetime,
            name_servers=tuple(self.name_servers),
        )


def load_seed(path: Path) -> Seed:
    """Raises SeedError for a file that is missing, malformed or readable by others."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        raw = path.read_bytes()
    except OSError as wrong:
        raise SeedError(f"cannot read the seed {path}: {wrong.strerror}") from wrong
    if mode & 0o077:
        raise SeedError(f"the seed {path} holds passwords and must have mode 0600, not {mode:o}")
    try:
        return msgspec.yaml.decode(raw, type=Seed)
    except msgspec.MsgspecError as wrong:
        raise SeedError(f"the seed {path} is not valid: {wrong}") from wrong
