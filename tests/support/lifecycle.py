"""A region with two Kubernetes releases and a cluster in it, as the lifecycle stories use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from vks.local.instance import Instance
from vks.local.platform.layout import Layout

T = TypeVar("T")
VKS = Path(sys.executable).with_name("vks")
ROOT = Path(__file__).parents[2]
WORKLOAD = Path(__file__).with_name("workload.yaml")
NODE_PORT = 30080
NAMESPACE = "p-test"


def until(look: Callable[[], T], within: float, every: float = 0.5) -> T:
    """The first true observation; the last one is in the failure's message."""
    deadline = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {seen}"
        time.sleep(every)
    return seen


@dataclass
class Lifecycle:
    """One local region of the tests' own, and cluster `demo` in it."""

    name: str
    kubeconfig: Path
    killed: list[str] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        return Layout(Instance.named(self.name))

    def vks(self, *arguments: str, timeout: float = 900.0) -> str:
        done = subprocess.run(
            [str(VKS), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "VKS_LOCAL_REGION": self.name},
        )
        assert done.returncode == 0, f"vks {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def read(self, *arguments: str) -> Any:
        return json.loads(self.vks(*arguments, "-o", "json"))

    def nodes(self) -> dict[str, dict[str, Any]]:
        return {n["name"]: n for n in self.read("pool", "nodes", "demo")["items"]}

    def ready(self, role: str) -> list[str]:
        return sorted(n["name"] for n in self.nodes().values() if n["role"] == role and n["ready"])

    def events(self) -> list[dict[str, Any]]:
        """`GET …/clusters/demo/events`."""
        from vks.cli.api import Api
        from vks.cli.session import sign_in

        files = {"OS_CLIENT_CONFIG_FILE": str(self.layout.clouds_yaml)}
        api = Api(sign_in({**os.environ, **files}, "demo"))
        items: list[dict[str, Any]] = api.get(api.path("clusters", "demo", "events"))["items"]
        return items

    def kubectl(self, *arguments: str) -> str:
        """On the cluster."""
        return self._kubectl(self.kubeconfig, *arguments)

    def machines(self) -> list[dict[str, Any]]:
        """The Machines of the cluster, in the management cluster."""
        where = ("get", "machines.cluster.x-k8s.io", f"-n={NAMESPACE}", "-o=json")
        items: list[dict[str, Any]] = json.loads(
            self._kubectl(self.layout.management_kubeconfig, *where)
        )["items"]
        return items

    def _kubectl(self, kubeconfig: Path, *arguments: str) -> str:
        program = Instance.named(self.name).cache / "assets/bin/kubectl"
        done = subprocess.run(
            [str(program), f"--kubeconfig={kubeconfig}", *arguments],
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def on_server(self, node: str, *command: str) -> None:
        """Run something on a node, as somebody at its console would."""
        self._lxc("lxc-attach", node, "--clear-env", "--", *command)

    def pull_the_plug(self, node: str) -> None:
        self._lxc("lxc-stop", node, "-k")

    def _lxc(self, program: str, node: str, *rest: str) -> None:
        server = self.nodes()[node]["serverId"]
        entered = ["nsenter", f"--net=/run/netns/vks-{self.name}", program]
        where = ["-P", str(self.layout.home / "servers"), "-n", server]
        subprocess.run([*entered, *where, *rest], check=True, capture_output=True, timeout=60)

    @contextmanager
    def probed(self) -> Iterator[dict[str, Any]]:
        """Uses the cluster all the while; the counts are filled in at the end."""
        counts: dict[str, Any] = {}
        command = [
            *("nsenter", f"--net=/run/netns/vks-{self.name}"),
            *(sys.executable, "-m", "tests.support.probes"),
            *(f"--kubeconfig={self.kubeconfig}", f"--node-port={NODE_PORT}"),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            yield counts
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=60)
        counts.update(json.loads(output))
