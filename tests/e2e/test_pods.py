"""Somebody deploys examples/hello.yaml and looks into it."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest
from tests.support.clouds import Json
from tests.support.localregion import ROOT, LocalRegion, until
from tests.support.workload import Workload

_HELLO = ROOT / "examples" / "hello.yaml"
_TOOLBOX = "registry.vks.verda/vks/toolbox:v1"


@pytest.fixture(scope="module")
def hello(demo: Workload) -> Iterator[list[Json]]:
    """The example's pods, and one pod to look from."""
    demo.kubectl("apply", f"--filename={_HELLO}")
    demo.kubectl("run", "toolbox", f"--image={_TOOLBOX}", "--", "sleep", "3600")
    demo.kubectl("rollout", "status", "deployment/hello", "--timeout=120s")
    demo.kubectl("wait", "--for=condition=Ready", "pod/toolbox", "--timeout=60s")
    yield demo.objects("pods", "--selector=app=hello")
    demo.kubectl("delete", "deployment/hello", "service/hello", "pod/toolbox", "--now")


def fetch(demo: Workload, url: str) -> str:
    """What the pod `toolbox` gets from there."""
    return demo.kubectl("exec", "toolbox", "--", "curl", "-sSf", "--max-time", "5", url)


def test_pods_on_all_nodes_answer_each_other_by_address(
    region: LocalRegion, demo: Workload, hello: list[Json]
) -> None:
    zones = {
        node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"]
        for node in demo.nodes()
    }
    assert sorted(zones[pod["spec"]["nodeName"]] for pod in hello) == region.zones
    toolbox = demo.objects("pods", "--field-selector=metadata.name=toolbox")[0]
    for pod in hello:
        name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
        answer = fetch(demo, f"http://{pod['status']['podIP']}:8080")
        assert answer == (
            f"Hello {toolbox['status']['podIP']}, this is {name} on {node} in {zones[node]}.\n"
        )


def test_a_service_is_found_by_name_and_spreads_over_its_pods(
    demo: Workload, hello: list[Json]
) -> None:
    names = {pod["metadata"]["name"] for pod in hello}
    for host in ("hello", "hello.default.svc.cluster.local"):
        seen: set[str] = set()
        until(
            lambda host=host, seen=seen: seen | {fetch(demo, f"http://{host}").split()[4]},  # type: ignore[misc]
            lambda one, seen=seen: seen.update(one) or seen == names,  # type: ignore[misc]
            30.0,
        )
    lookup = demo.kubectl(
        "exec", "toolbox", "--", "nslookup", "kubernetes.default.svc.cluster.local"
    )
    assert "10.96.0.1" in lookup


def test_a_pod_reaches_the_api_through_its_service(demo: Workload, hello: list[Json]) -> None:
    address = "https://kubernetes.default.svc/version"
    answer = demo.kubectl("exec", "toolbox", "--", "curl", "-sk", "--max-time", "5", address)
    assert '"gitVersion": "v1.' in answer


def test_people_look_into_pods_on_any_node(demo: Workload, hello: list[Json]) -> None:
    for pod in hello:
        name = pod["metadata"]["name"]
        fetch(demo, f"http://{pod['status']['podIP']}:8080")
        assert "url:/" in demo.kubectl("logs", name)
        assert demo.kubectl("exec", name, "--", "hostname") == f"{name}\n"


def test_a_port_of_a_service_is_forwarded(demo: Workload, hello: list[Json]) -> None:
    command = [str(demo.region.programs / "kubectl"), f"--kubeconfig={demo.kubeconfig}"]
    with subprocess.Popen(
        [*command, "port-forward", "service/hello", ":80"], stdout=subprocess.PIPE, text=True
    ) as forward:
        assert forward.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}", timeout=10) as answer:
            assert b", this is hello-" in answer.read()
        forward.terminate()
