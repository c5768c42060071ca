"""The service on a real API server: CRDs, controllers, and the REST API with a caller to be."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from fastapi import FastAPI

from vks.kube.client import Client
from vks.kube.objects import Resource
from vks.runtime.manager import Manager
from vks.service.api.app import create_app
from vks.service.api.auth import Caller, CallerCloud
from vks.service.api.context import Services
from vks.service.api.problems import Problem
from vks.service.api.regions import Region
from vks.service.caches import Caches
from vks.service.config import CloudAccess, Config, RegionConfig
from vks.service.managedcluster import controller as managedcluster
from vks.service.nodepool import controller as nodepool
from vks.service.operation import controller as operation
from vks.service.project import controller as project
from vks.service.repair import breaker
from vks.service.repair import controller as repair
from vks.service.upgrade import controller as upgrade
from vks.verda.compute import Flavor, Keypair, Limits
from vks.verda.credentials import CloudConfig
from vks.verda.image import Image
from vks.verda.network import FixedIP, Network, Port, Subnet, Usage

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
CRDS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
ZONES = ("tokyo-1", "tokyo-2", "tokyo-3")
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDPsyo3MZ6xj9HvOcuoeJzGTmZbQYTSrgzxeY6WX5v3n"


class FixedCloud:
    """What one project sees in its cloud."""

    def __init__(self, quota: Limits | None = None) -> None:
        self.quota = quota or Limits()
        self.balancers = {"loadbalancers": 10, "used_loadbalancers": 0}
        self.network: dict[str, Usage] = {}
        self.keys = [
            Keypair(name="key", public_key=f"{SSH_KEY} alice"),
            Keypair(name="windows", type="x509"),
        ]

    async def flavors(self) -> list[Flavor]:
        return [Flavor(id="f1", name="small", vcpus=2, ram=2048)]

    async def images(self) -> list[Image]:
        return [
            Image("i1", "vks-1.36.3", "active", kubernetes_version="v1.36.3", min_disk=4),
            Image(id="i2", name="debian", status="active"),
            Image(id="i3", name="vks-1.35.4", status="active", kubernetes_version="v1.35.4"),
        ]

    async def networks(self) -> list[Network]:
        return [Network(id="n1", name="own")]

    async def subnets(self, network_id: str) -> list[Subnet]:
        return [Subnet(id="s1", network_id=network_id, cidr="10.60.1.0/24")]

    async def ports(self, network_id: str) -> list[Port]:
        return [Port(id="p9", network_id=network_id, fixed_ips=(FixedIP("10.60.1.9", "s1"),))]

    async def keypairs(self) -> list[Keypair]:
        return self.keys

    async def limits(self) -> Limits:
        return self.quota

    async def network_quota(self) -> dict[str, Usage]:
        return self.network

    async def pool_ranges(self) -> list[str]:
        return ["10.60.1.0/24", "10.60.2.0/23"]

    async def load_balancers(self) -> dict[str, int]:
        return self.balancers


class TokenTable:
    """Identity: tokens that are known, and nothing else."""

    def __init__(self) -> None:
        self.cloud = FixedCloud()
        self.callers: dict[str, Caller] = {}

    def add(self, token: str, name: str, *roles: str) -> str:
        clouds: dict[str, CallerCloud] = {"tokyo": self.cloud}
        self.callers[token] = Caller(
            f"u-{token}", "alice", f"id-of-{name}", name, frozenset(roles), clouds
        )
        return token

    async def authenticate(self, token: str) -> Caller:
        if token not in self.callers:
            raise Problem("unauthenticated", "the token is not valid")
        return self.callers[token]


def region_config() -> RegionConfig:
    return RegionConfig(
        name="tokyo",
        zones=ZONES,
        kubeconfig="unused",
        identity_url="http://127.0.0.1:1/identity/v3",
        cloud=CloudAccess(clouds_yaml="unused", cloud="vks"),
        proxy_url="http://127.0.0.1:7081",
        legacy=True,
    )


def service_user() -> CloudConfig:
    auth = {"auth_url": "http://127.0.0.1:1/v3", "username": "vks", "password": "never-shown"}
    return CloudConfig(auth=auth)


def cluster_api_module() -> Path:
    """Where Go keeps the pinned version of Cluster API."""
    found = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/cluster-api"],
        cwd=ROOT / "upstream" / "cluster-api",
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(found.stdout.strip())


async def install_crds(client: Client) -> None:
    """Ours, and those of Cluster API as upstream ships them."""
    module = await asyncio.to_thread(cluster_api_module)
    files = [*(ROOT / "config" / "crd").glob("*.yaml")]
    for part in ("core", "bootstrap/kubeadm", "controlplane/kubeadm"):
        files += (module / part / "config" / "crd" / "bases").glob("*.yaml")
    names = []
    for file in files:
        body = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)  # ten times as fast
        body["metadata"].pop("creationTimestamp", None)
        await client.apply(CRDS, body, field_manager="tests")
        names.append(body["metadata"]["name"])
    for name in names:
        await until(partial(_established, client, name))


async def _established(client: Client, name: str) -> bool:
    crd = await client.get(CRDS, name)
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def service_manager(client: Client, **options: Any) -> Manager:
    """All controllers of the service, ready to run."""
    manager = Manager(client, name="test-controllers", **options)
    caches = Caches.of(manager)
    config = Config(regions=(region_config(),))
    project.setup(manager, caches, service_user())
    managedcluster.setup(manager, caches, config.regions[0])
    nodepool.setup(manager, caches)
    upgrade.setup(manager, caches)
    repair.setup(manager, caches)
    breaker.setup(manager, caches)
    operation.setup(manager, caches, config.operation_retention)
    return manager


@asynccontextmanager
async def controllers(client: Client) -> AsyncIterator[Manager]:
    """The same, running."""
    manager = service_manager(client)
    stop = asyncio.Event()
    task = asyncio.create_task(manager.run(stop))
    try:
        yield manager
    finally:
        stop.set()
        await task


@cache
def _application() -> FastAPI:
    """Made once: it costs half a second, and leaves ten thousand objects in cycles. Those of a
    hundred tests, collected in the middle of another one, block its event loop for two seconds."""
    return create_app(Services(Config(regions=(region_config(),)), (), TokenTable()))


@asynccontextmanager
async def rest_api(client: Client, identity: TokenTable) -> AsyncIterator[httpx.AsyncClient]:
    """The REST API, called in this process; one at a time."""
    region = region_config()
    services = Services(Config(regions=(region,)), (Region(region, client),), identity)
    app = _application()
    app.state.services = services
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://vks") as caller:
        yield caller


async def until(
    probe: Callable[[], Awaitable[T | None]], *, timeout: float = 60.0, every: float = 0.05
) -> T:
    """The first true answer of `probe`. Raises TimeoutError."""
    async with asyncio.timeout(timeout):
        while True:
            answer = await probe()
            if answer:
                return answer
            await asyncio.sleep(every)


def cluster_request(name: str = "demo", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "region": "tokyo",
        "version": "v1.36.3",
        "controlPlane": {"replicas": 3, "flavor": "small"},
        "nodePools": [{"name": "default", "replicas": 3, "flavor": "small"}],
        **more,
    }
