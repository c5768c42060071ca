"""A legacy cluster on its way to Cluster API, and back, while it is used.

What is killed is the controller that moves it, and the hub that does the work on the nodes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from tests.support.migration import Story, legacy_cluster, unnoticed

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("migration", tmp_path_factory.mktemp("migration")) as story:
        yield story


def test_preparing_goes_unnoticed_by_those_who_repeat_a_failed_request(
    old: Story, record_property: Callable[[str, Any], None]
) -> None:
    servers, before = old.servers(), old.server
    token = old.kubectl("create", "token", "default", "--duration=1h").strip()
    assert old.region.read("migration", "plan", "old")["plan"]["refusals"] == []

    with old.used() as counts:
        old.vks("migration", "start", "old", "--until", "Prepared", "--no-wait")
        old.doing("restarts its API server")
        old.kill("migration")
        (phase,) = old.reached("Prepared")["phases"]

    unnoticed(counts, record_property)
    assert phase["finishedAt"]
    assert old.servers() == servers
    assert old.server != before, "users are sent to the load balancer"
    assert old.whoami(token) == "system:serviceaccount:default:default"
    assert old.kubectl("get", "secret", "kept", "-o=jsonpath={.data.key}") == "dmFsdWU="


def test_a_prepared_cluster_looks_like_one_of_kubeadms(old: Story) -> None:
    planes = old.planes()
    assert old.etcd_members() == planes
    ready = {
        pod["metadata"]["name"]
        for pod in old.objects("pods", "-n=kube-system", "-l=tier=control-plane")
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    }
    assert ready == {f"{component}-{node}" for component in COMPONENTS for node in planes}
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
    plane = min(old.planes())
    pod = ("pod", f"kube-scheduler-{plane}", "-n=kube-system")
    old.on_server(plane, "systemctl", "stop", "legacy-kube-scheduler")
    old.kubectl("wait", *pod, "--for=condition=Ready=false", "--timeout=60s")
    old.kubectl("wait", *pod, "--for=condition=Ready", "--timeout=120s")  # its agent starts it


def test_going_back_goes_unnoticed_too(
    old: Story, record_property: Callable[[str, Any], None]
) -> None:
    servers = old.servers()
    with old.used() as counts:
        old.vks("migration", "rollback", "old", "--yes", "--no-wait")
        old.doing("restarts its API server")
        old.kill("legacy")
        assert old.reached("RolledBack")["phases"] == []

    unnoticed(counts, record_property)
    assert old.servers() == servers
    assert old.etcd_members() == {f"etcd-{name}" for name in old.planes()}
    names = old.kubectl("get", "configmaps", "-A", "-o=name")
    assert "kubeadm-config" not in names
    assert "cluster-info" not in names
    assert old.objects("pods", "-n=kube-system", "-l=tier=control-plane") == []
    # Nothing hinders another attempt.
    assert old.region.read("migration", "plan", "old")["plan"]["refusals"] == []
