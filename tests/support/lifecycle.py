"""Cluster `demo` of a region, as the story of its middle age sees and treats it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.clouds import Json
from tests.support.kernelwatch import addresses
from tests.support.localregion import PROJECT, ROOT, until
from tests.support.workload import Workload

WORKLOAD = Path(__file__).with_name("workload.yaml")
NODE_PORT = 30080

#: Where an address is: the address, its MAC, its Neutron port.
Slot = tuple[str, str, str]


class Lifecycle(Workload):
    """`nodes` are Kubernetes'; `members` are the same and those to come, as VKS shows them."""

    def vks(self, *arguments: str) -> str:
        return self.region.vks(*arguments, timeout=900)

    def members(self) -> dict[str, Json]:
        found = self.region.read("pool", "nodes", self.name)["items"]
        return {node["name"]: node for node in found}

    def ready(self, role: str) -> list[str]:
        return sorted(
            n["name"] for n in self.members().values() if n["role"] == role and n["ready"]
        )

    def versions(self, role: str) -> list[str]:
        """Of the machines that there are, those to come included."""
        return sorted(n["version"] for n in self.members().values() if n["role"] == role)

    def machines(self) -> list[Json]:
        """The Machines of the cluster, in the management cluster."""
        return self.region.objects("machines.cluster.x-k8s.io", self.name)

    def events(self) -> list[Json]:
        path = f"/projects/{PROJECT}/clusters/{self.name}/events"
        items: list[Json] = self.region.look(path)["items"]
        return items

    def slots(self, pool: str) -> dict[Slot, str]:
        """The pool's addresses and the node that has each, which the kernel confirms."""
        shown = self.region.read("static-ip", "get", pool, "--cluster", self.name)["slots"]
        members = self.members()
        for slot in shown:
            server = members[slot["node"]]["serverId"]
            plugged = addresses(f"{self.region.instance.fabric_netns}.{server}")
            assert plugged.get(slot["address"]) == slot["mac"], (slot, plugged)
        return {(slot["address"], slot["mac"], slot["port"]): slot["node"] for slot in shown}

    # --- upgrades

    def upgrade(self, *options: str) -> str:
        """Asks for one; the operation's id."""
        asked = ("cluster", "upgrade", self.name, *options, "--yes", "--no-wait")
        return str(self.region.read(*asked)["id"])

    def steer(self, action: str) -> None:
        self.vks("cluster", "upgrade", self.name, f"--{action}")

    def begun(self, version: str) -> set[str]:
        """The workers that are made at that version, as soon as there are any."""
        return until(lambda: self._workers_of(version), bool, within=600)

    def stands_still(self, version: str, seconds: float) -> None:
        """Nothing more goes to the version for that long."""
        began, before = time.monotonic(), self._workers_of(version)
        while time.monotonic() < began + seconds:
            assert self._workers_of(version) <= before
            time.sleep(1)

    def _workers_of(self, version: str) -> set[str]:
        found = self.members().values()
        return {n["name"] for n in found if n["role"] == "worker" and n["version"] == version}

    # --- accidents

    def on_server(self, node: str, *command: str) -> None:
        """Run something on a node, as somebody at its console would."""
        self._lxc("lxc-attach", node, "--clear-env", "--", *command)

    def pull_the_plug(self, node: str) -> None:
        self._lxc("lxc-stop", node, "-k")

    def _lxc(self, program: str, node: str, *rest: str) -> None:
        server = self.members()[node]["serverId"]
        instance = self.region.instance
        entered = ["nsenter", f"--net={instance.fabric_netns_path}", program]
        where = ["-P", str(instance.home / "servers"), "-n", server]
        subprocess.run([*entered, *where, *rest], check=True, capture_output=True, timeout=60)

    @contextmanager
    def probed(self, api_hz: float = 10.0) -> Iterator[dict[str, Any]]:
        """Uses the cluster all the while, and until every client has done enough to judge by; the
        counts are filled in at the end."""
        counts: dict[str, Any] = {}
        command = [
            *("nsenter", f"--net={self.region.instance.fabric_netns_path}"),
            *(sys.executable, "-m", "tests.support.probes"),
            *(f"--kubeconfig={self.kubeconfig}", f"--node-port={NODE_PORT}"),
            f"--api-hz={api_hz}",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            try:
                yield counts
                process.send_signal(signal.SIGTERM)
                output, _ = process.communicate(timeout=240)
            finally:
                process.kill()
        counts.update(json.loads(output))


def seconds_until(look: Callable[[], bool], within: float) -> float:
    """How long it took."""
    began = time.monotonic()
    until(look, bool, within)
    return round(time.monotonic() - began, 1)
