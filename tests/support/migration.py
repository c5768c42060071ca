"""A legacy cluster on real servers, and its migration as an operator drives it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from tests.support.lifecycle import WORKLOAD, Lifecycle, until

NAMESPACE = "p-admin"
#: What a migration goes through the hands of.
CONTROLLERS = (
    "migration",
    "capi-kubeadm-control-plane",
    "capi-core",
    "provider",
    "capi-kubeadm-bootstrap",
    "controllers",
    "legacy",
)
CLUSTER_API = tuple(
    f"{kind}.{group}cluster.x-k8s.io"
    for group, kinds in {
        "": ("clusters", "machines", "machinesets", "machinedeployments"),
        "controlplane.": ("kubeadmcontrolplanes",),
        "infrastructure.": ("verdaclusters", "verdamachines"),
    }.items()
    for kind in kinds
)
#: Seconds that a phase may take on a machine that is busy.
PATIENCE = 900.0


class Story(Lifecycle):
    """As an operator: users cannot choose the provisioner."""

    def migration(self) -> dict[str, Any]:
        api = self.api("admin")
        found: dict[str, Any] = api.get(api.path("clusters", self.cluster, "migration"))
        return found

    def reached(self, phase: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.migration()
            return found if found["phase"] == phase else None

        try:
            found = until(look, PATIENCE, every=2.0)
        except AssertionError as error:
            raise AssertionError(json.dumps(self.migration(), indent=1)) from error
        assert found is not None
        return found

    @contextmanager
    def fresh_kubeconfig(self) -> Iterator[None]:
        """As somebody whose kubeconfig is written anew every few seconds."""
        stop = threading.Event()

        def keep() -> None:
            while not stop.wait(3.0):
                self.save_kubeconfig()

        thread = threading.Thread(target=keep)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def save_kubeconfig(self) -> None:
        api = self.api("admin")
        path = api.path("clusters", self.cluster, "kubeconfig")
        text = api.change("POST", path, {"ttlSeconds": 3600})["kubeconfig"]
        partial = self.kubeconfig.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(self.kubeconfig)

    def kill(self, process: str) -> None:
        """As the kernel does it when memory runs out."""
        processes = self.read("status", "--name", self.name)["processes"]
        pid = next(p["pid"] for p in processes if p["name"] == process)
        if pid:  # it may be starting again
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.killed.append(process)

    def doing(self, what: str) -> None:
        """Until something like that is done to a node."""
        until(lambda: any(what in n["step"] for n in self.migration()["nodes"]), PATIENCE)

    def whoami(self, token: str) -> str:
        """Whom the API server takes the token's bearer for."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        bearer = self.kubeconfig.with_suffix(".bearer")
        bearer.write_text(yaml.safe_dump(config))
        command = ("auth", "whoami", "-o=jsonpath={.status.userInfo.username}")
        return self._kubectl(bearer, *command)

    @property
    def server(self) -> str:
        config = yaml.safe_load(self.kubeconfig.read_text())
        return str(config["clusters"][0]["cluster"]["server"])

    def members(self) -> dict[str, str]:
        """etcd's members by id, as the legacy provisioner's hub was told."""
        found = self._kubectl(
            self.layout.management_kubeconfig,
            *("get", "legacyclusters.legacy.vks.verda", self.cluster, f"-n={NAMESPACE}", "-o=json"),
        )
        listed = json.loads(found)["status"]["etcdMembers"]
        return {member["peerUrl"]: member["name"] for member in listed}

    def management(self, *kinds: str) -> list[dict[str, Any]]:
        """Objects of the cluster's project in the management cluster."""
        found = self._kubectl(
            self.layout.management_kubeconfig,
            *("get", ",".join(kinds), f"-n={NAMESPACE}", "-o=json", "--ignore-not-found"),
        )
        items: list[dict[str, Any]] = json.loads(found)["items"] if found.strip() else []
        return items

    def machine_names(self) -> set[str]:
        return {m["metadata"]["name"] for m in self.management("machines.cluster.x-k8s.io")}

    def servers(self) -> dict[str, str]:
        """By node."""
        return {node["name"]: node["serverId"] for node in self.nodes().values()}

    @contextmanager
    def killing(self, *programs: str) -> Iterator[None]:
        """Every few seconds another of them is killed, in turn."""
        stop = threading.Event()

        def kill() -> None:
            turn = itertools.cycle(programs)
            while not stop.wait(15.0):
                self.kill(next(turn))

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@contextmanager
def legacy_cluster(name: str, kubeconfig: Path) -> Iterator[Story]:
    """Three control planes and three workers that serve something, in a region of this name."""
    story = Story(name, kubeconfig, "old")
    os.environ["OS_CLOUD"] = "admin"
    story.vks("down", "--name", name, "--purge")  # what a killed run left
    try:
        story.vks("up", "--name", name, "--legacy")
        zones = ",".join(f"{name}-{number}" for number in (1, 2, 3))
        pool = f"name=default;count=3;flavor=small;zones={zones}"
        story.vks("cluster", "create", "old", "--provisioner", "legacy", "--pool", pool)
        story.save_kubeconfig()
        story.kubectl("apply", "-f", str(WORKLOAD))
        story.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
        story.kubectl("create", "secret", "generic", "kept", "--from-literal=key=value")
        yield story
    finally:
        del os.environ["OS_CLOUD"]
        story.vks("down", "--name", name, "--purge")
    assert not list(Path("/run/netns").glob(f"vks-{name}*"))


def unnoticed(counts: dict[str, Any], record: Callable[[str, Any], None]) -> None:
    print(json.dumps(counts, indent=1))
    for name, count in counts.items():
        for kind in ("requests", "raw", "after_retry", "longest_gap_ms"):
            record(f"{name}.{kind}", count.get(kind))
    again = {name: count["after_retry"] for name, count in counts.items()}
    assert again == dict.fromkeys(counts, 0), counts
