"""A legacy cluster on real servers: made, used, scaled, upgraded, wounded, healed, deleted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import migration
from tests.support.lifecycle import WORKLOAD
from tests.support.localregion import LocalRegion, region_name
from tests.support.ssh import login, new_key, public_part, ssh

from vks.verda.cloud import Cloud
from vks.verda.credentials import CloudConfig

NAME = region_name("legacy")
OLD, NEW = "v1.35.4", "v1.36.3"
VKS = Path(sys.executable).with_name("vks")
KUBECTL = Path(os.environ.get("VKS_CACHE", "/var/cache/vks"), "assets/bin/kubectl")
#: What may take long is a server's boot on a machine that is busy.
PATIENCE = 300.0

pytestmark = [
    pytest.mark.timeout(2400),  # without the older release in the cache it is built first
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


def vks(*arguments: str) -> str:
    """As an operator: users cannot choose the provisioner."""
    done = subprocess.run(
        [str(VKS), *arguments],
        capture_output=True,
        text=True,
        timeout=1800.0,
        env={**os.environ, "VKS_LOCAL_REGION": NAME, "OS_CLOUD": "admin"},
    )
    assert done.returncode == 0, f"vks {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def eventually(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(1.0)


class Story:
    """One region with one legacy cluster, `old`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._kubeconfig = directory / "kubeconfig"

    def kubectl(self, *arguments: str) -> str:
        vks("kubeconfig", "save", "old", "--file", str(self._kubeconfig))
        command = [str(KUBECTL), f"--kubeconfig={self._kubeconfig}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120.0)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}:\n{done.stderr}"
        return done.stdout

    def nodes(self, role: str = "") -> list[dict[str, Any]]:
        found = json.loads(vks("pool", "nodes", "old", "-o", "json"))["items"]
        return [node for node in found if role in ("", node["role"])]

    def ready(self) -> bool:
        cluster = json.loads(vks("cluster", "get", "old", "-o", "json"))
        return cluster["status"]["phase"] == "Running" and all(n["ready"] for n in self.nodes())

    def lose_server(self, server_id: str) -> None:
        """The hypervisor burnt down, and nobody told us."""

        async def delete() -> None:
            home = json.loads(vks("status", "--name", NAME, "-o", "json"))["cloudsYaml"]
            async with Cloud(CloudConfig.from_file(home, "admin")) as cloud:
                await cloud.compute.delete_server(server_id)

        asyncio.run(delete())

    def hub(self) -> dict[str, Any]:
        processes = json.loads(vks("status", "--name", NAME, "-o", "json"))["processes"]
        return next(process for process in processes if process["name"] == "legacy")


def server_namespaces() -> list[Path]:
    return list(Path("/run/netns").glob(f"vks-{NAME}.*"))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    vks("down", "--name", NAME, "--purge")  # what a killed run left
    vks("up", "--name", NAME, "--legacy", "--kubernetes", OLD)
    zones = ",".join(f"{NAME}-{number}" for number in (1, 2, 3))
    pool = f"name=default;count=3;flavor=small;zones={zones}"
    directory = tmp_path_factory.mktemp("story")
    compute = LocalRegion(NAME).admin.compute
    compute.create_keypair(name="mine", public_key=public_part(new_key(directory, "mine")))
    own = ("--provisioner", "legacy", "--key-name", "mine")
    try:
        vks("cluster", "create", "old", "--version", OLD, *own, "--pool", pool)
        yield Story(directory)
    finally:
        vks("down", "--name", NAME, "--purge")
    assert not Path("/run/netns", f"vks-{NAME}").exists()
    assert not server_namespaces()


def test_users_cannot_tell_the_difference(story: Story) -> None:
    nodes = json.loads(story.kubectl("get", "nodes", "-o", "json"))["items"]
    assert len(nodes) == 6
    shown = {node["name"]: node for node in story.nodes()}
    for node in nodes:
        described = shown[node["metadata"]["name"]]
        assert node["spec"]["providerID"] == described["providerId"]
        labels = node["metadata"]["labels"]
        assert labels["topology.kubernetes.io/zone"] == described["zone"]
    for role in ("control-plane", "worker"):
        assert len({node["zone"] for node in story.nodes(role)}) == 3


def test_who_has_the_key_logs_in_to_every_node(story: Story) -> None:
    for node in story.nodes():
        said = ssh(
            LocalRegion(NAME), story.directory / "mine", login(node), "hostname; sudo id -un"
        )
        assert said.split() == [node["name"], "root"]


def test_it_is_not_kubeadms(story: Story) -> None:
    system = ("-n", "kube-system")
    assert "kubeadm-config" not in story.kubectl(*system, "get", "configmaps", "-o", "name")
    pods = story.kubectl(*system, "get", "pods", "-o", "name")
    assert "etcd" not in pods
    assert "kube-apiserver" not in pods
    assert "kube-proxy" not in pods


def test_its_migration_is_planned_from_what_really_runs(story: Story) -> None:
    """A refusal would be an exit code."""
    servers = {node["providerId"] for node in story.nodes()}
    plan = json.loads(vks("migration", "plan", "old", "-o", "json"))["plan"]
    assert plan["refusals"] == []
    assert sorted(plan["rolled"]) == sorted(node["name"] for node in story.nodes())
    assert plan["arguments"]["kube-apiserver"]["--service-account-issuer"] == "vks-legacy"
    assert {node["providerId"] for node in story.nodes()} == servers
    assert story.ready()


def test_pods_find_each_other_by_name_across_nodes(story: Story) -> None:
    system = ("-n", "kube-system")
    story.kubectl(*system, "rollout", "status", "deployment/coredns", "--timeout=120s")
    image = "--image=registry.vks.verda/vks/toolbox:v1"
    story.kubectl("run", "asker", image, "--restart=Never", "--command", "--", "sleep", "3600")
    story.kubectl("wait", "pod/asker", "--for=condition=Ready", "--timeout=120s")
    name = "kubernetes.default.svc.cluster.local"
    assert "10.96.0.1" in story.kubectl("exec", "asker", "--", "nslookup", name)


def test_a_pool_grows_and_shrinks(story: Story) -> None:
    vks("pool", "scale", "old", "default", "--count", "4")
    assert len(story.nodes("worker")) == 4
    vks("pool", "scale", "old", "default", "--count", "3")
    assert len(story.nodes("worker")) == 3
    assert len(server_namespaces()) == 6


def test_an_upgrade_is_the_same_as_everywhere_and_the_workload_does_not_notice(
    story: Story, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    monkeypatch.setenv("OS_CLOUD", "admin")
    user = migration.Story(LocalRegion(NAME), story.directory)
    user.kubectl("apply", "-f", str(WORKLOAD))
    user.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    (offer,) = user.region.read("cluster", "upgrades", "old")["available"]
    assert (offer["version"], offer["allowed"]) == (NEW, True), offer
    before = {node["name"] for node in story.nodes()}

    with user.used() as counts:
        began = time.monotonic()
        user.vks("cluster", "upgrade", "old", "--version", NEW, "--yes")
        record_property("seconds", round(time.monotonic() - began, 1))

    for name, count in counts.items():
        record_property(name, {k: v for k, v in count.items() if k != "errors"})
    assert counts["http"]["after_retry"] == 0, counts["http"]
    assert counts["http"]["requests"] > 200
    assert counts["make"]["missing"] == 0, "what etcd acknowledged is there"
    assert user.versions("control-plane") == user.versions("worker") == [NEW] * 3
    nodes = user.nodes()
    assert {n["status"]["nodeInfo"]["kubeletVersion"] for n in nodes} == {NEW}
    assert len(nodes) == 6
    assert not {node["metadata"]["name"] for node in nodes} & before
    assert story.ready()
    assert len(server_namespaces()) == 6


def test_a_lost_control_plane_is_replaced(story: Story) -> None:
    before = {node["name"]: node["serverId"] for node in story.nodes("control-plane")}
    lost = min(before)
    story.kubectl("create", "configmap", "kept", "--from-literal=key=value")
    story.lose_server(before[lost])

    def replaced() -> bool:
        names = {node["name"] for node in story.nodes("control-plane")}
        return lost not in names and len(names) == 3 and story.ready()

    eventually("a successor", replaced)
    assert story.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.key}") == "value"
    assert len(json.loads(story.kubectl("get", "nodes", "-o", "json"))["items"]) == 6


def test_a_killed_hub_comes_back_and_touches_nothing(story: Story) -> None:
    servers = {node["serverId"] for node in story.nodes()}
    pid = story.hub()["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually("another process", lambda: story.hub()["pid"] not in (0, pid))
    eventually("the cluster's health", story.ready)
    assert {node["serverId"] for node in story.nodes()} == servers


def test_nothing_is_left_of_a_deleted_cluster(story: Story) -> None:
    vks("cluster", "delete", "old", "--yes")
    assert json.loads(vks("cluster", "list", "-o", "json"))["items"] == []
    assert server_namespaces() == []
