"""A cluster's middle age: upgraded under traffic, broken, repaired, rearranged.

Three control planes and three workers, one of which has a static address. With `VKS_PUBLISH=1` the
figures become benchmarks/results/upgrade.json.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks import report
from tests.support import leftovers
from tests.support.lifecycle import WORKLOAD, Lifecycle, seconds_until
from tests.support.localregion import LocalRegion, region_name, until

OLD, NEW = "v1.35.4", "v1.36.3"
#: Seconds until a node that died is replaced.
REPAIRED = 180.0
#: Seconds for which nothing happens in a paused upgrade.
PAUSE = 5.0

# Without the older release in the cache the first test waits for its build.
pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lifecycle]:
    region = LocalRegion(region_name("lifecycle"))
    region.purge()  # what a killed run left
    try:
        region.vks("up", "--name", region.name, "--kubernetes", OLD, timeout=1800)
        pools = ("name=default;count=2;flavor=small", "name=edge;count=1;flavor=small;static-ips=1")
        asked = (part for pool in pools for part in ("--pool", pool))
        region.vks("cluster", "create", "demo", "--version", OLD, *asked)
        yield Lifecycle(region, "demo", tmp_path_factory.mktemp("lifecycle"))
    finally:
        region.purge()
    assert leftovers.of_region(region.name) == []


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, Any]]:
    """What the tests measured."""
    machine = report.machine()
    found: dict[str, Any] = {}
    yield found
    print(json.dumps(found, indent=1))
    if os.environ.get("VKS_PUBLISH") and "repair" in found:
        report.write("upgrade", {"machine": machine, "versions": report.versions(), **found})


def test_an_upgrade_goes_unnoticed_by_those_who_repeat_a_failed_request(
    demo: Lifecycle, figures: dict[str, Any]
) -> None:
    options = demo.region.read("region", "options", demo.region.name)
    assert [v["version"] for v in options["versions"]] == [OLD, NEW]
    demo.kubectl("apply", "-f", str(WORKLOAD))
    demo.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    (offer,) = demo.region.read("cluster", "upgrades", "demo")["available"]
    assert (offer["version"], offer["allowed"]) == (NEW, True), offer
    slots, workers = demo.slots("edge"), demo.ready("worker")

    with demo.probed() as counts:
        seconds = seconds_until(lambda: upgraded(demo, workers), within=900)
    figures["upgrade"] = {"from": OLD, "to": NEW, "seconds": seconds, "clients": counts}

    late = {name: count["after_retry"] for name, count in counts.items()}
    assert late == dict.fromkeys(counts, 0), counts
    assert all(count["requests"] > seconds for count in counts.values()), counts
    assert demo.versions("control-plane") == demo.versions("worker") == [NEW] * 3
    assert {n["status"]["nodeInfo"]["kubeletVersion"] for n in demo.nodes()} == {NEW}
    until(lambda: proxies(demo), lambda seen: seen == {NEW}, within=60)
    assert demo.slots("edge").keys() == slots.keys()
    assert demo.slots("edge") != slots, "another node has the address"


def upgraded(demo: Lifecycle, workers: list[str]) -> bool:
    """An upgrade that is paused, aborted, asked for again, paused and resumed. Aborted, it takes
    back the pool that it had begun with; the control plane is done, and nodes that are a minor
    version behind can still be replaced."""
    aborted = demo.upgrade("--version", NEW)
    demo.begun(NEW)
    demo.steer("pause")
    demo.stands_still(NEW, PAUSE)
    assert len(demo.begun(NEW)) == 1, "the pool's zones roll one after the other"
    assert demo.versions("control-plane") == [NEW] * 3
    demo.steer("abort")
    ended = until(
        lambda: demo.region.operation(aborted), lambda seen: seen["phase"] == "Failed", within=300
    )
    assert ended["error"]["code"] == "UpgradeAborted"
    assert demo.ready("worker") == workers
    assert demo.versions("worker") == [OLD] * 3
    recreate(demo, demo.ready("worker")[-1])
    assert demo.versions("worker") == [OLD] * 3

    goes_on = demo.upgrade("--version", NEW)
    demo.begun(NEW)
    demo.steer("pause")
    demo.stands_still(NEW, PAUSE)
    demo.steer("resume")
    return bool(demo.region.finished(goes_on, within=600)["phase"] == "Succeeded")


def recreate(demo: Lifecycle, edge: str) -> None:
    """The node with the static address: another one comes in its zone, with its address."""
    others, zone = {*demo.ready("worker")} - {edge}, demo.members()[edge]["zone"]
    slots = demo.slots("edge")
    demo.vks("node", "recreate", edge, "--cluster", "demo")
    (new,) = {*demo.ready("worker")} - others
    assert new != edge
    assert demo.members()[new]["zone"] == zone
    assert demo.slots("edge") == dict.fromkeys(slots, new)


def proxies(demo: Lifecycle) -> set[str]:
    """The versions of kube-proxy that run."""
    pods = demo.objects("pods", "--namespace=kube-system", "--selector=k8s-app=kube-proxy")
    return {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in pods}


def test_a_worker_without_kubelet_and_a_control_plane_without_power_are_replaced(
    demo: Lifecycle, figures: dict[str, Any]
) -> None:
    worker, plane = demo.ready("worker")[0], demo.ready("control-plane")[0]
    demo.on_server(worker, "systemctl", "stop", "kubelet")
    demo.pull_the_plug(plane)

    def replaced() -> bool:
        planes = [m for m in demo.machines() if is_control_plane(m)]
        going = [m for m in planes if "deletionTimestamp" in m["metadata"]]
        assert len(going) <= 1, "never two control planes at once"
        whole = len(demo.ready("worker")) == len(demo.ready("control-plane")) == 3
        return whole and not {worker, plane} & demo.members().keys()

    figures["repair"] = {"seconds": seconds_until(replaced, REPAIRED), "limit": REPAIRED}
    events = demo.events()
    marked = {e["object"]["name"] for e in events if e["reason"] == "MachineMarkedUnhealthy"}
    assert {worker, plane} <= marked
    why = {e["object"]["name"]: e["message"] for e in events if e["reason"] == "Unhealthy"}
    assert "Ready on Node is reporting status Unknown" in why[worker]
    assert "ServerStopped" in why[plane] or "on Node is reporting" in why[plane]
    demo.kubectl("rollout", "status", "deployment/web", "--timeout=120s")


def is_control_plane(machine: dict[str, Any]) -> bool:
    return "cluster.x-k8s.io/control-plane" in machine["metadata"]["labels"]


def test_single_nodes_are_cordoned_drained_and_deleted(demo: Lifecycle) -> None:
    first, second, edge = demo.ready("worker")

    demo.vks("node", "cordon", first, "--cluster", "demo")
    assert schedulable(demo) == {second, edge}
    demo.vks("node", "drain", second, "--cluster", "demo")
    web = demo.objects("pods", "--selector=app=web")
    assert second not in {pod["spec"]["nodeName"] for pod in web}
    for node in (first, second):
        demo.vks("node", "uncordon", node, "--cluster", "demo")
    assert schedulable(demo) == {first, second, edge}

    demo.vks("node", "delete", second, "--cluster", "demo", "--yes")
    assert demo.ready("worker") == [first, edge]
    demo.kubectl("rollout", "status", "deployment/web", "--timeout=120s")


def schedulable(demo: Lifecycle) -> set[str]:
    return {
        node["metadata"]["name"]
        for node in demo.nodes()
        if not node["spec"].get("unschedulable")
        and "node-role.kubernetes.io/control-plane" not in node["metadata"]["labels"]
    }
