"""A cluster's middle age, on real servers: upgraded under traffic, broken, repaired, rearranged."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.lifecycle import WORKLOAD, Lifecycle, until

NAME = "e2e-lifecycle"
OLD, NEW = "v1.35.4", "v1.36.3"
#: Seconds until a node that died is replaced.
REPAIRED = 180.0

# Without the older release in the cache the first test waits for its build.
pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lifecycle]:
    kubeconfig = tmp_path_factory.mktemp("lifecycle") / "demo.kubeconfig"
    demo = Lifecycle(NAME, kubeconfig)
    demo.vks("down", "--name", NAME, "--purge")  # what a killed run left
    try:
        demo.vks("up", "--name", NAME, "--kubernetes", OLD, timeout=1800)
        pool = "name=default;count=3;flavor=small"
        demo.vks("cluster", "create", "demo", "--version", OLD, "--pool", pool)
        demo.kubeconfig.write_text(demo.vks("kubeconfig", "save", "demo", "--file", "-"))
        yield demo
    finally:
        demo.vks("down", "--name", NAME, "--purge")
    assert not list(Path("/run/netns").glob(f"vks-{NAME}*"))


def test_an_upgrade_goes_unnoticed_by_those_who_repeat_a_failed_request(
    demo: Lifecycle, record_property: Any
) -> None:
    options = demo.read("region", "options", NAME)
    assert [v["version"] for v in options["versions"]] == [OLD, NEW]
    demo.kubectl("apply", "-f", str(WORKLOAD))
    demo.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    (offer,) = demo.read("cluster", "upgrades", "demo")["available"]
    assert (offer["version"], offer["allowed"]) == (NEW, True), offer

    began = time.monotonic()
    with demo.probed() as counts:
        demo.vks("cluster", "upgrade", "demo", "--version", NEW, "--yes")
    took = time.monotonic() - began

    for name, count in counts.items():
        for kind in ("requests", "raw", "after_retry"):
            record_property(f"{name}.{kind}", count[kind])
    record_property("seconds", round(took))
    print(json.dumps(counts, indent=1))
    assert {name: count["after_retry"] for name, count in counts.items()} == dict.fromkeys(
        counts, 0
    ), counts
    assert all(count["requests"] > took for count in counts.values()), counts
    assert {node["version"] for node in demo.nodes().values()} == {NEW}
    kubelets = demo.kubectl(
        "get", "nodes", "-o=jsonpath={.items[*].status.nodeInfo.kubeletVersion}"
    )
    assert kubelets.split() == [NEW] * 6
    proxies = ["get", "pods", "-n=kube-system", "-l=k8s-app=kube-proxy"]
    images = demo.kubectl(*proxies, "-o=jsonpath={.items[*].spec.containers[0].image}")
    assert {image.rpartition(":")[2] for image in images.split()} == {NEW}


def test_a_worker_without_kubelet_and_a_control_plane_without_power_are_replaced(
    demo: Lifecycle,
) -> None:
    worker, plane = demo.ready("worker")[0], demo.ready("control-plane")[0]
    began = time.monotonic()
    demo.on_server(worker, "systemctl", "stop", "kubelet")
    demo.pull_the_plug(plane)

    def replaced() -> bool:
        planes = [m for m in demo.machines() if is_control_plane(m)]
        going = [m for m in planes if "deletionTimestamp" in m["metadata"]]
        assert len(going) <= 1, "never two control planes at once"
        nodes = demo.nodes()
        whole = len(demo.ready("worker")) == len(demo.ready("control-plane")) == 3
        return whole and not {worker, plane} & nodes.keys()

    until(replaced, REPAIRED)
    print(f"repaired after {time.monotonic() - began:.0f} s")
    marked = {e["object"]["name"] for e in demo.events() if e["reason"] == "MachineMarkedUnhealthy"}
    assert {worker, plane} <= marked
    why = {e["object"]["name"]: e["message"] for e in demo.events() if e["reason"] == "Unhealthy"}
    assert "Ready on Node is reporting status Unknown" in why[worker]
    assert "ServerStopped" in why[plane] or "on Node is reporting" in why[plane]
    demo.kubectl("rollout", "status", "deployment/web", "--timeout=120s")


def is_control_plane(machine: dict[str, Any]) -> bool:
    return "cluster.x-k8s.io/control-plane" in machine["metadata"]["labels"]


def test_single_nodes_are_cordoned_drained_recreated_and_deleted(demo: Lifecycle) -> None:
    first, second, third = demo.ready("worker")

    demo.vks("node", "cordon", first, "--cluster", "demo")
    assert schedulable(demo) == {second, third}
    demo.vks("node", "drain", second, "--cluster", "demo")
    assert second not in {pod["spec"]["nodeName"] for pod in web(demo)}
    for node in (first, second):
        demo.vks("node", "uncordon", node, "--cluster", "demo")
    assert schedulable(demo) == {first, second, third}

    zone = demo.nodes()[second]["zone"]
    demo.vks("node", "recreate", second, "--cluster", "demo")
    (new,) = set(demo.ready("worker")) - {first, third}
    assert new != second
    assert demo.nodes()[new]["zone"] == zone

    demo.vks("node", "delete", third, "--cluster", "demo", "--yes")
    assert demo.ready("worker") == sorted([first, new])
    demo.kubectl("rollout", "status", "deployment/web", "--timeout=120s")


def schedulable(demo: Lifecycle) -> set[str]:
    nodes = json.loads(demo.kubectl("get", "nodes", "-o=json"))["items"]
    return {
        node["metadata"]["name"]
        for node in nodes
        if not node["spec"].get("unschedulable")
        and "node-role.kubernetes.io/control-plane" not in node["metadata"]["labels"]
    }


def web(demo: Lifecycle) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(demo.kubectl("get", "pods", "-l=app=web", "-o=json"))[
        "items"
    ]
    return found
