"""A legacy cluster on real servers becomes one of Cluster API's, while it is used."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.migration import CLUSTER_API, CONTROLLERS, Story, legacy_cluster, unnoticed

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("whole-migration", tmp_path_factory.mktemp("migration")) as story:
        yield story


def test_preparing_goes_unnoticed_by_those_who_repeat_a_failed_request(
    old: Story, record_property: Any
) -> None:
    servers = old.servers()
    before = old.server
    token = old.kubectl("create", "token", "default", "--duration=1h").strip()
    plan = json.loads(old.vks("migration", "plan", "old", "-o", "json"))["plan"]
    assert plan["refusals"] == []

    began = time.monotonic()
    with old.used() as counts:
        old.vks("migration", "start", "old", "--until", "Prepared", "--no-wait")
        old.doing("restarts its API server")
        old.kill("migration")
        prepared = old.reached("Prepared")
        time.sleep(10)  # what was prepared is used for a while
    record_property("seconds", round(time.monotonic() - began))

    unnoticed(counts, record_property)
    assert prepared["phases"][0]["finishedAt"]
    assert old.servers() == servers
    assert old.server != before, "users are sent to the load balancer"
    assert old.whoami(token) == "system:serviceaccount:default:default"
    assert old.kubectl("get", "secret", "kept", "-o=jsonpath={.data.key}") == "dmFsdWU="


def test_a_prepared_cluster_looks_like_one_of_kubeadms(old: Story) -> None:
    planes = old.planes()
    assert old.etcd_members() == planes
    pods = json.loads(
        old.kubectl("get", "pods", "-n=kube-system", "-l=tier=control-plane", "-o=json")
    )
    ready = {
        pod["metadata"]["name"]
        for pod in pods["items"]
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    }
    components = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    assert ready == {f"{component}-{node}" for component in components for node in planes}
    text = old.kubectl("get", "configmap", "kubeadm-config", "-n=kube-system",
                       "-o=jsonpath={.data.ClusterConfiguration}")  # fmt: skip
    configuration = yaml.safe_load(text)
    assert f"https://{configuration['controlPlaneEndpoint']}" == old.server
    arguments = {a["name"]: a["value"] for a in configuration["apiServer"]["extraArgs"]}
    assert arguments["service-account-issuer"] == "vks-legacy"
    info = json.loads(old.kubectl("get", "configmap", "cluster-info", "-n=kube-public", "-o=json"))
    assert "vks.verda/signed" in info["metadata"]["annotations"]
    proxies = old.kubectl("get", "daemonset", "kube-proxy", "-n=kube-system",
                          "-o=jsonpath={.status.desiredNumberScheduled}")  # fmt: skip
    assert proxies == "0", "legacy nodes run their own"


def test_a_stopped_component_shows_in_the_pod_that_stands_for_it(old: Story) -> None:
    plane = min(n["name"] for n in old.members().values() if n["role"] == "control-plane")
    pod = ("pod", f"kube-scheduler-{plane}", "-n=kube-system")
    old.on_server(plane, "systemctl", "stop", "legacy-kube-scheduler")
    old.kubectl("wait", *pod, "--for=condition=Ready=false", "--timeout=60s")
    old.kubectl("wait", *pod, "--for=condition=Ready", "--timeout=120s")  # its agent starts it


def test_adopting_replaces_no_node_and_goes_unnoticed(old: Story, record_property: Any) -> None:
    servers = old.servers()
    old.save_kubeconfig()
    members = old.etcd_members()

    began = time.monotonic()
    with old.probed(api_hz=20.0) as counts:
        old.vks("migration", "start", "old", "--until", "Adopted", "--no-wait")
        old.reached("Adopted")
        time.sleep(10)  # whoever wants to replace something has the time
    record_property("seconds", round(time.monotonic() - began))

    unnoticed(counts, record_property)
    assert old.servers() == servers
    assert old.machine_names() == servers.keys()
    assert old.etcd_members() == members


def test_converting_goes_unnoticed_although_its_controllers_are_killed(
    old: Story, record_property: Any
) -> None:
    """All nodes are others afterwards; what was issued, encrypted and written before is good."""
    before = old.servers()
    token = old.kubectl("create", "token", "default", "--duration=2h").strip()
    uid = old.kubectl("get", "namespace", "default", "-o=jsonpath={.metadata.uid}")

    began = time.monotonic()
    with old.probed(api_hz=20.0) as counts, old.killing(*CONTROLLERS):
        old.vks("migration", "start", "old", "--until", "Converted", "--no-wait")
        old.reached("Converted")
    record_property("seconds", round(time.monotonic() - began))
    record_property("killed", ", ".join(old.killed))

    unnoticed(counts, record_property)
    after = old.servers()
    assert len(after) == len(before)
    assert not {*before.values()} & {*after.values()}
    namespaces = list(Path("/run/netns").glob(f"vks-{old.region.name}.*"))
    assert len(namespaces) == len(after), "every server that is gone is gone"
    assert old.whoami(token) == "system:serviceaccount:default:default"
    assert old.kubectl("get", "secret", "kept", "-o=jsonpath={.data.key}") == "dmFsdWU="
    assert old.kubectl("get", "namespace", "default", "-o=jsonpath={.metadata.uid}") == uid
    assert old.management("legacynodes.legacy.vks.verda") == []


def test_after_finalizing_nothing_is_left_of_the_legacy_provisioner(
    old: Story, record_property: Any
) -> None:
    before = old.servers()
    with old.probed(api_hz=20.0) as counts:
        old.vks("migration", "finalize", "old", "--yes", "--no-wait")
        old.reached("Finalized")
    unnoticed(counts, record_property)
    assert len({*old.servers().values()} - {*before.values()}) == 1, "one as the proof"
    assert old.management("legacyclusters.legacy.vks.verda") == []
    names = {secret["metadata"]["name"] for secret in old.management("secrets")}
    assert "old-ca" in names
    assert "old-legacy-keys" not in names


def test_nothing_is_left_of_it_when_it_is_deleted(old: Story) -> None:
    old.vks("cluster", "delete", "old", "--yes")
    assert old.management(*CLUSTER_API) == []
    assert list(Path("/run/netns").glob(f"vks-{old.region.name}.*")) == []
