"""Users, passwords and configuration of a region, generated once and kept mode 0600."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from vks.local.assets import kubernetes_projects
from vks.local.cloud.compute.tables import HOLLOW_TRAIT
from vks.local.cloud.seed import POOL_PREFIXES
from vks.local.image import NodeImage
from vks.local.platform import files
from vks.local.platform.layout import Layout, ServerKind

ZONES_PER_REGION = 3
_HOSTS_PER_ZONE = 3
#: The service's own user and the people's: user -> default project.
SERVICE_USER = "vks"
USERS = {"admin": "admin", "demo": "test"}

#: Servers per GiB of memory that project `test` may have: a control plane holds 0.4 GiB. A number
#: with a digit too many must not take the machine down.
_SERVERS_PER_GIB = 2
_FEWEST_SERVERS = 8

_FLAVORS = (("small", 1, 2048), ("medium", 2, 4096), ("large", 4, 8192))
#: So many hollow workers may a cluster of real control planes have; their subnet has room for them.
_HOLLOW_WORKERS = 1000
_HOLLOW_PREFIXLEN = 22


def zones(region: str) -> list[str]:
    return [f"{region}-{number}" for number in range(1, ZONES_PER_REGION + 1)]


def passwords(layout: Layout) -> dict[str, str]:
    """One per user, and the operator's token for fault injection."""
    if layout.passwords.exists():
        known: dict[str, str] = json.loads(layout.passwords.read_text())
        return known
    made = {name: secrets.token_urlsafe(18) for name in (*USERS, SERVICE_USER, "operator_token")}
    files.write(layout.passwords, json.dumps(made, indent=2) + "\n")
    return made


def recorded_servers(layout: Layout) -> ServerKind | None:
    """What the region's servers are; None for a region that has never been up."""
    if not layout.seed.exists():
        return None
    known: ServerKind = yaml.safe_load(layout.seed.read_text())["back_end"]
    return known


def has_hollow_workers(layout: Layout) -> bool:
    """Whether the region has offered hollow workers: clusters may have some."""
    if not layout.seed.exists():
        return False
    return "hollow_workers" in yaml.safe_load(layout.seed.read_text())


def has_legacy(layout: Layout) -> bool:
    """Whether the legacy provisioner has run in the region: it may have clusters then."""
    if not layout.service.exists():
        return False
    return bool(yaml.safe_load(layout.service.read_text())["regions"][0].get("legacy"))


def offered(layout: Layout, own: str, more: Iterable[str]) -> list[str]:
    """The Kubernetes versions of the region: its own, `more`, and those it offered before:
    clusters may run them."""
    before = json.loads(layout.versions.read_text()) if layout.versions.exists() else []
    kept = kubernetes_projects().keys() & {*before}
    return [own, *sorted({*kept, *more} - {own})]


def write_all(
    layout: Layout,
    ports: dict[str, int],
    images: Mapping[str, NodeImage | None],
    *,
    legacy: bool = False,
) -> None:
    """Writes the cloud's seed, the service's configuration and the `clouds.yaml` files.

    `images` has the Kubernetes versions; servers that are records do without an image.
    """
    files.write(layout.versions, json.dumps([*images]) + "\n")
    region = layout.instance.name
    secret = passwords(layout)
    identity = f"http://127.0.0.1:{ports['cloud']}/identity/v3"
    seed = _seed(layout, secret, ports) | {
        "images": [_image(version, image) for version, image in images.items()]
    }
    files.write(layout.seed, yaml.safe_dump(seed, sort_keys=False))
    people = {
        user: _cloud(identity, region, user, secret[user], project)
        for user, project in USERS.items()
    }
    files.write(layout.clouds_yaml, yaml.safe_dump({"clouds": people}, sort_keys=False))
    service = _cloud(identity, region, SERVICE_USER, secret[SERVICE_USER], "admin")
    files.write(layout.service_clouds_yaml, yaml.safe_dump({"clouds": {SERVICE_USER: service}}))
    config = _service(layout, ports, identity, legacy=legacy)
    files.write(layout.service, yaml.safe_dump(config, sort_keys=False))


def _cloud(identity: str, region: str, user: str, password: str, project: str) -> dict[str, Any]:
    return {
        "auth": {
            "auth_url": identity,
            "username": user,
            "password": password,
            "project_name": project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": region,
        "identity_api_version": 3,
    }


def _seed(layout: Layout, secret: dict[str, str], ports: dict[str, int]) -> dict[str, Any]:
    region = layout.instance.name
    hosts = range(1, _HOSTS_PER_ZONE + 1)
    return {
        "region": region,
        "zones": {zone: [f"{zone}-hv{number}" for number in hosts] for zone in zones(region)},
        "back_end": layout.servers,
        **({} if layout.has_fabric else _without_fabric(ports["management"])),
        **(_hollow_workers() if layout.hollow_workers else {}),
        "service_endpoints": {"kubernetes": f"http://127.0.0.1:{ports['api']}/v1"},
        "operator_token": secret["operator_token"],
        "projects": [{"name": "admin"}, {"name": "test", **_quotas(layout)}],
        "users": [
            {
                "name": "admin",
                "password": secret["admin"],
                "default_project": "admin",
                "roles": [{"role": "admin", "project": "admin"}],
            },
            {
                "name": "demo",
                "password": secret["demo"],
                "default_project": "test",
                "roles": [{"role": "member", "project": "test"}],
            },
            {
                "name": SERVICE_USER,
                "password": secret[SERVICE_USER],
                "roles": [
                    {"role": "admin", "domain": "Default", "inherited": True},
                    {"role": "admin", "project": "admin"},
                ],
            },
        ],
        "flavors": [*_flavors(), *(_flavors(hollow=True) if layout.hollow_workers else ())],
    }


def _flavors(*, hollow: bool = False) -> Iterable[dict[str, Any]]:
    for name, cpus, ram in _FLAVORS:
        size = {"vcpus": cpus, "ram": ram}
        if hollow:
            yield {"name": f"hollow-{name}", **size, "extra_specs": {HOLLOW_TRAIT: "required"}}
        else:
            yield {"name": name, **size}


def _hollow_workers() -> dict[str, Any]:
    """A default subnet has 250 addresses otherwise."""
    return {
        "hollow_workers": {"real_servers": most_servers(Path("/proc/meminfo").read_text())},
        "subnet_pool": {"prefixes": POOL_PREFIXES, "default_prefixlen": _HOLLOW_PREFIXLEN},
    }


def _without_fabric(port: int) -> dict[str, Any]:
    """Load balancers get loopback addresses, which every user of the machine may listen on.

    A range of the region's own comes of the management API's port, which no other region of
    the machine has. Servers' addresses lead nowhere: there may be thousands, outside of what
    pods and services get by default.
    """
    return {
        "vip_range": f"127.{port >> 8}.{port & 255}.0/24",
        "subnet_pool": {"prefixes": ["10.0.0.0/10"], "default_prefixlen": 20},
    }


def most_servers(meminfo: str) -> int:
    """How many real servers a machine with that /proc/meminfo carries."""
    line = next(line for line in meminfo.splitlines() if line.startswith("MemTotal:"))
    return max(_FEWEST_SERVERS, int(line.split()[1]) * _SERVERS_PER_GIB // 2**20)


def _quotas(layout: Layout) -> dict[str, Any]:
    """Hollow servers cost nothing: scale is what they are for."""
    if layout.servers == "lxc" and not layout.hollow_workers:
        limit = most_servers(Path("/proc/meminfo").read_text())
        return {"quotas": {"compute": {"instances": limit}}}
    if not layout.has_hollow:
        return {}
    return {
        "quotas": {
            "compute": dict.fromkeys(
                ("instances", "cores", "ram", "server_groups", "server_group_members"), -1
            ),
            "network": dict.fromkeys(
                (
                    *("network", "subnet", "port", "router", "router_route"),
                    *("security_group", "security_group_rule"),
                ),
                -1,
            ),
            "lbaas": {"loadbalancers": -1},
        }
    }


def _image(version: str, image: NodeImage | None) -> dict[str, Any]:
    return {
        "name": f"debian-12-k8s-{version}",
        "path": "" if image is None else str(image.path),
        "properties": {"os_distro": "debian", "vks_kubernetes_version": version},
    }


def _service(
    layout: Layout, ports: dict[str, int], identity: str, *, legacy: bool
) -> dict[str, Any]:
    return {
        **({"limits": {"maxPoolReplicas": _HOLLOW_WORKERS}} if layout.has_hollow else {}),
        "operatorRoles": ["admin"],
        "regions": [
            {
                "name": layout.instance.name,
                "zones": zones(layout.instance.name),
                "kubeconfig": str(layout.management_kubeconfig),
                "identityUrl": identity,
                "cloud": {"cloudsYaml": str(layout.service_clouds_yaml), "cloud": SERVICE_USER},
                # From the host the fabric's addresses are reached by way of the gateway.
                **({"proxyUrl": f"http://127.0.0.1:{ports['proxy']}"} if layout.has_fabric else {}),
                "bootstrap": {
                    # Servers are containers: kubeadm would ask their kernel for a config file.
                    "ignorePreflightErrors": ["SystemVerification"],
                    "kubeProxy": {"mode": "nftables", "conntrackMaxPerCore": 0},
                    "startupProbeSeconds": 1,
                },
                "legacy": legacy,
            }
        ],
    }
