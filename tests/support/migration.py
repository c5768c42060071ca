"""A legacy cluster on real servers, and its migration as an operator drives it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from tests.support import leftovers
from tests.support.background import repeated
from tests.support.clouds import Json
from tests.support.lifecycle import WORKLOAD, Lifecycle
from tests.support.localregion import LocalRegion, kubectl, region_name, until
from tests.support.probes import ENOUGH

from vks.cli.api import Api
from vks.cli.session import sign_in

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
LEGACY_NODES = "legacynodes.legacy.vks.verda"
CLUSTER_API = tuple(
    f"{kind}.{group}cluster.x-k8s.io"
    for group, kinds in {
        "": ("clusters", "machines", "machinesets", "machinedeployments"),
        "controlplane.": ("kubeadmcontrolplanes",),
        "infrastructure.": ("verdaclusters", "verdamachines"),
    }.items()
    for kind in kinds
)
#: Of a control plane.
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
#: Seconds that a phase may take on a machine that is busy; on an idle one converting takes 300.
PATIENCE = 900.0


class Story(Lifecycle):
    """Cluster `old`, as an operator sees it: for users there are no migrations."""

    def __init__(self, region: LocalRegion, directory: Path) -> None:
        super().__init__(region, "old", directory)
        files = {"OS_CLIENT_CONFIG_FILE": str(region.layout.clouds_yaml)}
        self._api = Api(sign_in({**os.environ, **files}, "admin"))
        self.killed: list[str] = []
        self.token = ""
        self.save_kubeconfig()

    def migration(self) -> Json:
        found: Json = self._api.get(self._api.path("clusters", self.name, "migration"))
        return found

    def reached(self, phase: str) -> Json:
        return until(self.migration, lambda found: found["phase"] == phase, PATIENCE)

    def start(self, until: str) -> None:
        """And go on with what this is for."""
        self.vks("migration", "start", self.name, "--until", until, "--no-wait")

    def finalize(self) -> None:
        self.vks("migration", "finalize", self.name, "--yes", "--no-wait")

    def go_back(self, until: str = "Planned") -> None:
        self.vks("migration", "rollback", self.name, "--until", until, "--yes", "--no-wait")

    def plan(self) -> None:
        """Nothing is against it."""
        found = self.region.read("migration", "plan", self.name)
        assert found["plan"]["refusals"] == []

    def durations(self) -> dict[str, float]:
        """Seconds that each phase took."""
        return {phase["name"]: phase["seconds"] for phase in self.migration()["phases"]}

    def doing(self, what: str) -> None:
        """Until something like that is done to a node."""

        def under_way(found: Json) -> bool:
            return any(what in node["step"] for node in found["nodes"])

        until(self.migration, under_way, PATIENCE)

    def given_up(self) -> set[str]:
        """The nodes whose servers Cluster API has decided to delete, and may."""
        nodes = self.migration()["nodes"]
        return {node["name"] for node in nodes if node["step"] in ("Released", "Replaced")}

    def kill(self, process: str) -> None:
        """As the kernel does it when memory runs out. It may be starting again."""
        found = self.region.processes().get(process)
        if found is not None and self.region.kill(found):
            self.killed.append(process)

    def servers(self) -> dict[str, str]:
        return {name: node["serverId"] for name, node in self.members().items()}

    def running_servers(self) -> int:
        """As the kernel has them."""
        return len(list(Path("/run/netns").glob(f"vks-{self.region.name}.*")))

    def planes(self) -> set[str]:
        return {name for name, node in self.members().items() if node["role"] == "control-plane"}

    def etcd_members(self) -> set[str]:
        """Their names, as etcd told the legacy provisioner."""
        where = ("legacyclusters.legacy.vks.verda", self.name, f"--namespace={NAMESPACE}")
        found = json.loads(self.region.kubectl("get", *where, "--output=json"))
        return {member["name"] for member in found["status"]["etcdMembers"]}

    # --- as a user

    @property
    def server(self) -> str:
        config = yaml.safe_load(self.kubeconfig.read_text())
        return str(config["clusters"][0]["cluster"]["server"])

    def save_kubeconfig(self) -> None:
        path = self._api.path("clusters", self.name, "kubeconfig")
        text = self._api.change("POST", path, {"ttlSeconds": 3600})["kubeconfig"]
        partial = self.kubeconfig.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(self.kubeconfig)

    @contextmanager
    def used(self) -> Iterator[dict[str, Any]]:
        """Ten reads and ten writes a second, by somebody whose kubeconfig is written anew every
        few seconds."""
        with repeated(3.0, self.save_kubeconfig), self.probed(api_hz=20.0) as counts:
            yield counts

    def whoami(self, token: str) -> str:
        """Whom the API server takes the token's bearer for."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        bearer = self.kubeconfig.with_suffix(".bearer")
        bearer.write_text(yaml.safe_dump(config))
        command = ("auth", "whoami", "--output=jsonpath={.status.userInfo.username}")
        return kubectl(self.region.programs, bearer, *command)

    def management(self, *kinds: str) -> list[Json]:
        """Objects of the cluster's project in the management cluster."""
        where = ("get", ",".join(kinds), f"--namespace={NAMESPACE}", "--output=json")
        found = self.region.kubectl(*where, "--ignore-not-found")
        items: list[Json] = json.loads(found)["items"] if found.strip() else []
        return items

    def machine_names(self) -> set[str]:
        return {m["metadata"]["name"] for m in self.management("machines.cluster.x-k8s.io")}

    def delete_machine(self, name: str) -> None:
        """As an operator of Cluster API does it."""
        where = ("machines.cluster.x-k8s.io", name, f"--namespace={NAMESPACE}")
        self.region.kubectl("delete", *where, "--wait=false")

    @contextmanager
    def killing(self, *programs: str, every: float) -> Iterator[None]:
        """Another of them is killed after that many seconds, in turn, each at least once."""
        self.killed.clear()
        turn = itertools.cycle(programs)
        with repeated(every, lambda: self.kill(next(turn))):
            yield
        assert {*programs} <= {*self.killed}

    def lose_a_worker(self) -> str:
        """Of all those that carry the workload none; its name."""
        carry = {pod["spec"]["nodeName"] for pod in self.objects("pods", "-l=app=web")}
        workers = {name for name, node in self.members().items() if node["role"] == "worker"}
        return self._lose(min(workers - carry))

    def lose_a_control_plane(self) -> str:
        """A legacy one if there is one, but not that which users were sent to; its name."""
        left = {node["metadata"]["name"] for node in self.management(LEGACY_NODES)}
        given = self._by_address().get(str(urlsplit(self.server).hostname))
        return self._lose(min(self.planes() - {given}, key=lambda name: (name not in left, name)))

    def _by_address(self) -> dict[str, str]:
        return {
            address["address"]: name
            for name, node in self.members().items()
            for address in node["addresses"]
        }

    def whole(self) -> bool:
        """Whether there are as many nodes as there were, and all are ready."""
        nodes = self.members().values()
        return len(nodes) == 6 and all(node["ready"] for node in nodes)

    def _lose(self, node: str) -> str:
        """Its server dies. Its network namespace would outlive it and go on forwarding."""
        namespace = f"{self.region.instance.fabric_netns}.{self.servers()[node]}"
        self.pull_the_plug(node)
        subprocess.run(["ip", "-n", namespace, "link", "set", "eth0", "down"], check=True)
        return node

    def untouched(self) -> dict[str, tuple[str, str]]:
        """Whose UIDs and versions stay what they are while nobody changes them."""
        kept = ("namespace/default", "secret/kept", "service/web", "serviceaccount/default")
        path = "-o=jsonpath={.metadata.uid} {.metadata.resourceVersion}"
        found = {name: self.kubectl("get", name, path).split() for name in kept}
        return {name: (uid, version) for name, (uid, version) in found.items()}

    def serve(self) -> None:
        """A workload, on the pool with addresses of its own to begin with, a secret, a token."""
        (other,) = (name for name in self.members() if name.startswith("old-default-"))
        self.kubectl("cordon", other)
        self.kubectl("apply", "-f", str(WORKLOAD))
        self.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
        self.kubectl("uncordon", other)
        self.kubectl("create", "secret", "generic", "kept", "--from-literal=key=value")
        self.token = self.kubectl("create", "token", "default", "--duration=2h").strip()

    # --- what every cluster has to show

    def keeps(self) -> None:
        """What was issued to begin with, and what was encrypted, is good."""
        assert self.whoami(self.token) == "system:serviceaccount:default:default"
        assert self.kubectl("get", "secret", "kept", "-o=jsonpath={.data.key}") == "dmFsdWU="

    def looks_like_kubeadms(self) -> None:
        """A cluster that has been prepared."""
        planes = self.planes()
        assert self.etcd_members() == planes
        ready = {
            pod["metadata"]["name"]
            for pod in self.objects("pods", "-n=kube-system", "-l=tier=control-plane")
            if any(
                c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"]
            )
        }
        assert ready == {f"{component}-{node}" for component in COMPONENTS for node in planes}
        text = self.kubectl("get", "configmap", "kubeadm-config", "-n=kube-system",
                           "-o=jsonpath={.data.ClusterConfiguration}")  # fmt: skip
        configuration = yaml.safe_load(text)
        assert f"https://{configuration['controlPlaneEndpoint']}" == self.server
        arguments = {a["name"]: a["value"] for a in configuration["apiServer"]["extraArgs"]}
        assert arguments["service-account-issuer"] == "vks-legacy"
        info = json.loads(
            self.kubectl("get", "configmap", "cluster-info", "-n=kube-public", "-o=json")
        )
        assert "vks.verda/signed" in info["metadata"]["annotations"]
        proxies = self.kubectl("get", "daemonset", "kube-proxy", "-n=kube-system",
                              "-o=jsonpath={.status.desiredNumberScheduled}")  # fmt: skip
        assert proxies == "0", "legacy nodes run their own"


@contextmanager
def legacy_cluster(purpose: str, directory: Path) -> Iterator[Story]:
    """Three control planes and three workers that serve something, two of them with addresses of
    their own, in a region of their own."""
    region = LocalRegion(region_name(purpose))
    region.purge()  # what a killed run left
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OS_CLOUD", "admin")  # users cannot choose the provisioner
        try:
            region.up("--legacy")
            one, two, three = region.zones
            pools = (
                f"name=default;count=1;flavor=small;zones={one}",
                f"name=edge;count=2;flavor=small;zones={two},{three};static-ips=2",
            )
            asked = [option for pool in pools for option in ("--pool", pool)]
            region.vks("cluster", "create", "old", "--provisioner", "legacy", *asked)
            story = Story(region, directory)
            story.serve()
            yield story
        finally:
            region.purge()
    assert leftovers.of_region(region.name) == []


@contextmanager
def outlived(
    old: Story, phase: str, lose: Callable[[], str], record: Callable[[str, Any], None]
) -> Iterator[None]:
    """The phase has begun. After the block a node dies, and the phase goes on to its end, with as
    many nodes as before; nobody notices."""
    slots = old.slots("edge")
    with old.used() as counts:
        if phase == "Finalized":
            old.finalize()
        else:
            old.start(phase)
        yield
        lost = lose()
        old.reached(phase)
        until(old.whole, bool, PATIENCE)
    record("lost", lost)
    unnoticed(counts, record)
    assert lost not in old.members()
    assert old.slots("edge").keys() == slots.keys()
    old.keeps()


def unnoticed(counts: dict[str, Any], record: Callable[[str, Any], None]) -> None:
    print(json.dumps(counts, indent=1))
    for name, count in counts.items():
        for kind in ("requests", "raw", "after_retry", "longest_gap_ms", "missing"):
            record(f"{name}.{kind}", count.get(kind))
    again = {name: count["after_retry"] for name, count in counts.items()}
    assert again == dict.fromkeys(counts, 0), counts
    assert all(count["requests"] >= ENOUGH for count in counts.values()), counts
