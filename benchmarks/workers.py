"""`python -m benchmarks.workers`: one real control plane under hundreds of hollow workers.

A region of its own with one cluster. Its API server has as much to do as under real nodes: every
worker has a certificate, a lease, watches and a connection of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.scale.observe import percentiles
from benchmarks.scale.sample import Usage, usage_of
from vks.cli.api import Api
from vks.cli.cluster import newest_version
from vks.cli.session import sign_in
from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.objects import Resource
from vks.kube.times import parse_time
from vks.local.instance import Instance
from vks.local.platform.layout import Layout
from vks.local.platform.region import read_state
from vks.local.servers.lxc import cgroups
from vks.resources.verdamachine import VerdaMachine

NAME = "bench-workers"
CLUSTER = "bench"
_WORKER = "cluster.x-k8s.io/deployment-name"
POOL = "crowd"
IDLE_SECONDS = 60.0
PODS_PER_NODE = 2
DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments")
#: By the name that the kernel keeps, 15 characters of it.
CONTROL_PLANE = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler")

_VKS = Path(sys.executable).with_name("vks")


class FailedError(Exception):
    """The operation failed; the message is its error."""


@dataclass
class Measured:
    """Seconds of each phase, and what every program used meanwhile."""

    instance: Instance
    phases: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """CPU of programs that begin within it counts from their beginning."""
        before, began = self._usages(), time.monotonic()
        yield
        seconds = time.monotonic() - began
        programs = {
            program: _used(before.get(program, Usage(0.0, 0.0)), after, seconds)
            for program, after in self._usages().items()
        }
        self.phases[name] = {"seconds": round(seconds, 1), "programs": programs}

    def _usages(self) -> dict[str, Usage]:
        found = {name: usage_of(pid) for name, pid in self._pids().items()}
        return {name: usage for name, usage in found.items() if usage is not None}

    def _pids(self) -> dict[str, int]:
        """The cluster's control plane, and the region's programs."""
        state = read_state(self.instance)
        if state is None:
            raise FailedError(f"region {self.instance.name} is not up")
        region = {f"region: {p.name}": p.pid for p in state.processes if p.pid}
        return region | dict(self._of_control_plane())

    def _of_control_plane(self) -> Iterator[tuple[str, int]]:
        """There is one real server."""
        roots = cgroups.hierarchies()
        names = cgroups.names(f"{self.instance.fabric_netns}.", roots)
        wanted = {name[:15]: name for name in CONTROL_PLANE}
        for prefix in {name.rpartition(".")[0] for name in names if name.endswith(".payload")}:
            for pid in cgroups.Cgroups(prefix, roots).payload():
                program = wanted.get(_comm(pid))
                if program is not None:
                    yield f"cluster: {program}", pid


def _used(before: Usage, after: Usage, seconds: float) -> dict[str, float]:
    cpu = after.cpu - before.cpu
    return {
        "cpuSeconds": round(cpu, 1),
        "cores": round(cpu / seconds, 3),
        "peakMiB": round(after.peak),
    }


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-workers", description=__doc__)
    parser.add_argument("--workers", type=int, default=300)
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for each step")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without removing the region
    machine = report.machine()
    with _region() as instance:
        measured = Measured(instance)
        try:
            _run(measured, options.workers, options.timeout)
        finally:
            results: dict[str, Any] = {
                "machine": machine,
                "versions": report.versions(),
                "workers": options.workers,
                "phases": measured.phases,
            }
            path = report.write("workers", results)
            _show(measured.phases)
    print(f"written: {path}")


@contextmanager
def _region() -> Iterator[Instance]:
    _vks("down", "--purge")
    try:
        _vks("up", "--hollow-workers", "--start-delay", "0")
        yield Instance.named(NAME)
    finally:
        _vks("down", "--purge")


def _vks(command: str, *options: str) -> None:
    environment = {**os.environ, "VKS_LOCAL_REGION": NAME}
    subprocess.run([str(_VKS), command, "--name", NAME, *options], check=True, env=environment)


def _run(measured: Measured, workers: int, timeout: float) -> None:
    clouds = str(Layout(measured.instance).clouds_yaml)
    api = Api(sign_in({**os.environ, "OS_CLIENT_CONFIG_FILE": clouds}, "demo"))
    pool = api.path("clusters", CLUSTER, "node-pools", POOL)

    def change(method: str, path: str, body: Any = None) -> None:
        operation = api.change(method, path, body)["id"]
        _until(lambda: _ended(api.get(api.path("operations", operation))), timeout)

    with measured.phase("control plane"):
        change("POST", api.path("clusters"), _cluster(newest_version(api, NAME)))
    with measured.phase("workers"):
        crowd = {"name": POOL, "flavor": "hollow-small", "replicas": workers}
        change("POST", api.path("clusters", CLUSTER, "node-pools"), crowd)
    measured.phases["workers"]["machines"] = asyncio.run(_latencies(measured.instance))
    with measured.phase("idle"):
        time.sleep(IDLE_SECONDS)
    kubeconfig = api.change("POST", api.path("clusters", CLUSTER, "kubeconfig"))["kubeconfig"]
    with measured.phase("pods"):
        asyncio.run(_deploy(kubeconfig, workers * PODS_PER_NODE, timeout))
    with measured.phase("workers deleted"):
        change("PATCH", pool, {"replicas": 0})


def _cluster(version: str) -> dict[str, Any]:
    return {
        "name": CLUSTER,
        "region": NAME,
        "version": version,
        "controlPlane": {"replicas": 1, "flavor": "large"},
        "network": {"podCidr": "10.200.0.0/14"},  # room for a thousand nodes' /24
    }


def _until(done: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() > deadline:
            raise FailedError(f"not within {timeout:g} s")
        time.sleep(1.0)


def _ended(operation: dict[str, Any]) -> bool:
    if operation["phase"] == "Failed":
        raise FailedError(str(operation.get("error")))
    return bool(operation["phase"] == "Succeeded")


async def _latencies(instance: Instance) -> dict[str, dict[str, float]]:
    """Seconds from a worker's VerdaMachine to each point of its life, over all of them."""
    config = ClientConfig.from_kubeconfig(Layout(instance).management_kubeconfig)
    async with Client(config, user_agent="bench") as client:
        found = (await client.list(VerdaMachine, label_selector=_WORKER)).items
    reached: dict[str, list[float]] = {}
    for machine in found:
        born = parse_time(machine.metadata.creation_timestamp or "").timestamp()
        for condition in machine.status.conditions:
            if condition.status == "True" and condition.last_transition_time:
                moment = parse_time(condition.last_transition_time).timestamp()
                reached.setdefault(condition.type, []).append(moment - born)
    return {point: percentiles(seconds) for point, seconds in reached.items()}


async def _deploy(kubeconfig: str, pods: int, timeout: float) -> None:
    """Until all of them are Ready."""
    labels = {"app": "filler"}
    containers = [{"name": "filler", "image": "registry.invalid/never/pulled:v1"}]
    body = {
        "metadata": {"name": "filler", "namespace": "default"},
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }
    config = ClientConfig.from_kubeconfig(kubeconfig.encode())
    async with Client(config, user_agent="bench") as client, asyncio.timeout(timeout):
        await client.create(DEPLOYMENTS, body)
        ready = 0
        while ready < pods:
            await asyncio.sleep(1.0)
            status = (await client.get(DEPLOYMENTS, "filler", "default"))["status"]
            ready = status.get("readyReplicas", 0)


def _show(phases: dict[str, dict[str, Any]]) -> None:
    for name, phase in phases.items():
        used = sorted(phase["programs"].items(), key=lambda one: -one[1]["cpuSeconds"])
        report.show(
            f"{name}: {phase['seconds']} s",
            ("program", "CPU s", "cores", "peak MiB"),
            [
                (program, f"{u['cpuSeconds']:.1f}", f"{u['cores']:.2f}", f"{u['peakMiB']}")
                for program, u in used
                if u["cpuSeconds"] >= 0.1
            ],
        )


if __name__ == "__main__":
    main()
