"""A local region of the benchmark's own, purged at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from vks.kube.config import ClientConfig
from vks.local.instance import Instance
from vks.local.platform.layout import Layout
from vks.verda.cloud import Cloud
from vks.verda.credentials import CloudConfig

NAME = "bench-create"
_VKS = Path(sys.executable).with_name("vks")
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Server(NamedTuple):
    """A server's disk as the host sees it, and the way to run a program inside."""

    id: str
    disk: Path
    enter: tuple[str, ...]

    def command(self, *argv: str) -> tuple[str, ...]:
        return (*self.enter, *argv)


class Region:
    """A running region."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.layout = Layout(instance)
        self.zones = [f"{instance.name}-{number}" for number in (1, 2, 3)]

    @property
    def management(self) -> ClientConfig:
        return ClientConfig.from_kubeconfig(self.layout.management_kubeconfig)

    def cloud(self) -> Cloud:
        """Project `test` as its member sees it: Nova, Neutron and LBaaS, without VKS."""
        return Cloud(CloudConfig.from_file(self.layout.clouds_yaml, "demo"))

    def server(self, server_id: str) -> Server:
        servers = self.instance.home / "servers"
        disks = self.instance.cache / "pool" / "instances" / self.instance.name
        namespace = f"--net={self.instance.fabric_netns_path}"
        attach = ("lxc-attach", "-P", str(servers), "-n", server_id, "--clear-env", "-v", _PATH)
        return Server(server_id, disks / server_id, ("nsenter", namespace, "--", *attach, "--"))

    def through_gateway(self, kubeconfig: bytes) -> ClientConfig:
        """A workload cluster's kubeconfig for use on the host: its VIP lies in the fabric."""
        document = yaml.safe_load(kubeconfig)
        proxy = f"http://127.0.0.1:{self.instance.ports()['proxy']}"
        for cluster in document["clusters"]:
            cluster["cluster"]["proxy-url"] = proxy
        return ClientConfig.from_kubeconfig(document)


@contextmanager
def running_region() -> Iterator[Region]:
    """Starts the region; what an earlier, killed run left goes first."""
    _vks("down", "--purge")
    try:
        _vks("up")
        yield Region(Instance.named(NAME))
    finally:
        _vks("down", "--purge")


def _vks(command: str, *options: str) -> None:
    environment = {**os.environ, "VKS_LOCAL_REGION": NAME}
    subprocess.run([str(_VKS), command, "--name", NAME, *options], check=True, env=environment)
