"""A management cluster, a local Verda whose servers run true agents, and the legacy server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import requests
from keystoneauth1 import exceptions as ksa
from tests.apiserver.legacy.machines import Host, World, agent, settings_of
from tests.apiserver.provider.region import Region, eventually
from tests.support.apiserver import free_port
from tests.support.pki import Pki

from vks.kube.client import Client
from vks.kube.objects import find_condition
from vks.legacy.server.hub import Hub, Listener
from vks.legacy.server.options import HubAddress, Options
from vks.legacy.server.setup import setup
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.runtime.manager import Manager
from vks.verda.errors import CloudError

NAME = "old"


class Datacenter:
    """Boots what the cloud says runs: the agent of each server, from the server's user data."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self.world = World()
        self.agents: dict[str, contextlib.AsyncExitStack] = {}
        self.names: dict[str, str] = {}
        self.held = False  # no server boots

    async def run(self) -> None:
        try:
            while True:
                with contextlib.suppress(
                    CloudError, ksa.ClientException, requests.RequestException
                ):
                    await self._look()  # a failing cloud boots its servers all the same
                await asyncio.sleep(0.1)
        finally:
            for stack in self.agents.values():
                await stack.aclose()

    async def _look(self) -> None:
        servers = await self._region.verda.compute.servers()
        running = {s.id: s.name for s in servers if s.status == "ACTIVE"}
        for server_id in () if self.held else running.keys() - self.agents.keys():
            await self._boot(server_id, running[server_id])
        for server_id in self.agents.keys() - running.keys():
            await self.agents.pop(server_id).aclose()

    async def _boot(self, server_id: str, name: str) -> None:
        admin = self._region.under_test.admin.compute.at("2.79")
        answer: requests.Response = await asyncio.to_thread(admin.get, f"/servers/{server_id}")
        answer.raise_for_status()
        user_data = answer.json()["server"]["OS-EXT-SRV-ATTR:user_data"]
        stack = contextlib.AsyncExitStack()
        host = self.world.hosts.get(name) or Host(name, self.world)
        await stack.enter_async_context(agent(settings_of(user_data), host))
        self.agents[server_id], self.names[name] = stack, server_id

    async def cut(self, node: str) -> None:
        """The node's agent loses its connection and its process at once; the server stays."""
        await self.agents[self.names[node]].aclose()

    def mend(self, node: str) -> None:
        """The agent starts again."""
        del self.agents[self.names[node]]

    async def lose(self, node: str) -> None:
        """The server is gone, and nobody told us."""
        await self._region.verda.compute.delete_server(self.names[node])


class Legacy:
    """One test's legacy cluster and everything behind it."""

    def __init__(self, region: Region, pki: Pki) -> None:
        self.region = region
        self.client = region.client
        self.namespace = region.namespace
        self.datacenter = Datacenter(region)
        port = free_port()
        self.options = Options(
            kubeconfig=None,
            namespace=region.namespace,
            http=("127.0.0.1", 0),
            listener=Listener("127.0.0.1", port, str(pki.server_cert), str(pki.server_key)),
            address=HubAddress(f"wss://127.0.0.1:{port}", pki.ca.read_text()),
            leader_elect=False,
            leader_elect_namespace="vks-system",
            log_level="info",
        )

    @property
    def world(self) -> World:
        return self.datacenter.world

    @contextlib.asynccontextmanager
    async def server(self, client: Client | None = None) -> AsyncIterator[Hub]:
        """The legacy server's process; leaving is its end, in order."""
        manager = Manager(client or self.client, name="vks-legacy", grace_period=2.0)
        hub = setup(manager, client or self.client, self.options)
        stop = asyncio.Event()
        task = asyncio.create_task(manager.run(stop))
        try:
            yield hub
        finally:
            stop.set()
            await task

    async def apply(
        self, replicas: int = 3, image: str | None = None, slots: int = 0, **pools: int
    ) -> None:
        """What the service would ask for: a number of control planes, and workers per pool, which
        has reserved addresses if there are `slots`."""
        await self.region.secret("identity", {"clouds.yaml": self.region.clouds_yaml})
        cloud = self.region.under_test
        shape = {"flavor": cloud.flavors[0], "image": image or cloud.image}
        zones = list(cloud.zones)
        static = {"staticIP": {"slots": [{"name": str(n + 1)} for n in range(slots)]}}
        body: dict[str, Any] = {
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {
                "region": cloud.region,
                "identityRef": {"name": "identity"},
                "version": "v1.36.3",
                "controlPlane": {"replicas": replicas, "zones": zones, **shape},
                "nodePools": [
                    {
                        "name": name,
                        **shape,
                        "zones": [{"name": zones[0], "replicas": count}],
                        **(static if slots else {}),
                    }
                    for name, count in pools.items()
                ],
                "network": {"podCIDR": "10.244.0.0/16", "serviceCIDR": "10.96.0.0/16"},
            },
        }
        await self.client.apply(LegacyCluster, body, field_manager="user")

    async def cluster(self) -> LegacyCluster:
        return await self.client.get(LegacyCluster, NAME, self.namespace)

    async def nodes(self, role: str = "") -> list[LegacyNode]:
        found = (await self.client.list(LegacyNode, self.namespace)).items
        return [node for node in found if role in ("", node.spec.role)]

    async def condition(self, type_: str) -> tuple[str, str]:
        found = find_condition((await self.cluster()).status.conditions, type_)
        return (found.status, found.reason) if found is not None else ("", "")

    async def settled(self, count: int, patience: float = 60.0) -> None:
        """The cluster is ready, with that many nodes."""

        async def look() -> bool:
            cluster = await self.cluster()
            return (
                cluster.status.observed_generation == cluster.metadata.generation
                and await self.condition("Ready") == ("True", "ClusterReady")
                and len(await self.nodes()) == count
                and all(_ready(node) for node in await self.nodes())
            )

        try:
            await eventually(look, patience)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await self.described()}") from error

    async def described(self) -> str:
        cluster = await self.cluster()
        lines = [f"cluster {c.type}={c.status} {c.reason} {c.message}" for c in
                 cluster.status.conditions]  # fmt: skip
        for node in await self.nodes():
            ready = find_condition(node.status.conditions, "Ready")
            deleting = find_condition(node.status.conditions, "Deleting")
            lines.append(f"{node.metadata.name} {ready and ready.reason} {ready and ready.message}"
                         f" {deleting and deleting.reason}")  # fmt: skip
        return "\n".join(lines)

    async def gone(self, patience: float = 60.0) -> None:
        async def look() -> bool:
            clusters = (await self.client.list(LegacyCluster, self.namespace)).items
            return not clusters and not await self.nodes()

        await eventually(look, patience)


def _ready(node: LegacyNode) -> bool:
    ready = find_condition(node.status.conditions, "Ready")
    return ready is not None and ready.status == "True"
