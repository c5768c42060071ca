"""The management plane that both providers share: a hollow region of the benchmark's own."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
import yaml

from benchmarks.scale.manifests import SECRETS
from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.objects import Resource
from vks.local.instance import Instance
from vks.local.platform import region
from vks.local.platform.control import Connection, Request
from vks.local.platform.layout import Layout
from vks.local.platform.status import describe
from vks.local.progress import SilentProgress
from vks.verda.credentials import DEFAULT_CLOUD

NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
NAME = "bench-scale"


@dataclass(frozen=True)
class Plane:
    """A running hollow region."""

    instance: Instance
    layout: Layout

    def client(self) -> Client:
        """With an operator's credentials."""
        config = ClientConfig.from_kubeconfig(self.layout.management_kubeconfig)
        return Client(config, user_agent="vks-benchmark")

    def pids(self) -> dict[str, int]:
        """The programs that run, by name."""
        described = describe(self.instance)
        return {one["name"]: one["pid"] for one in described["processes"] if one["pid"]}

    def metrics(self) -> dict[str, str]:
        """Where the controllers' metrics are, by program."""
        inner = self.layout.inner_ports()
        ports = {name.removesuffix("-diagnostics"): port for name, port in inner.items()}
        named = ("provider", "capi-core", "capi-kubeadm-bootstrap", "capi-kubeadm-control-plane")
        return {name: f"http://127.0.0.1:{ports[name]}/metrics" for name in named}

    def restart(self, program: str) -> None:
        """Ends the program; its supervisor starts it again at once."""
        for _ in Connection(self.instance.run, Request(do="restart", name=program), 30.0).states():
            continue

    async def ended(self, program: str) -> None:
        """Returns when the process that runs the program now has ended."""
        process = os.pidfd_open(self.pids()[program])
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(process, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(process)
            os.close(process)

    async def cloud_calls(self) -> dict[str, int]:
        """How many calls of each kind the cloud has answered."""
        secrets = json.loads(self.layout.passwords.read_text())
        headers = {"X-Operator-Token": secrets["operator_token"]}
        url = f"http://127.0.0.1:{self.instance.ports()['cloud']}/admin/calls"
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            answer.raise_for_status()
            calls: dict[str, int] = (await answer.json())["calls"]
        return calls


@contextmanager
def running_plane(name: str, delay: float) -> Iterator[Plane]:
    """Up, fresh, until the block ends; nothing of it stays."""
    instance = Instance.named(name)
    region.down(instance, SilentProgress(), purge=True)  # what a killed run left
    region.up(instance, SilentProgress(), "hollow", start_delay=delay)
    try:
        yield Plane(instance, Layout(instance, "hollow"))
    finally:
        region.down(instance, SilentProgress(), purge=True)


async def prepare_namespace(plane: Plane, client: Client, name: str) -> None:
    """An empty namespace that may use the cloud."""
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    people = yaml.safe_load(plane.layout.clouds_yaml.read_text())["clouds"]
    text = yaml.safe_dump({"clouds": {DEFAULT_CLOUD: people["demo"]}})
    data = {"clouds.yaml": base64.b64encode(text.encode()).decode()}
    await client.create(SECRETS, {"metadata": {"name": "cloud", "namespace": name}, "data": data})
