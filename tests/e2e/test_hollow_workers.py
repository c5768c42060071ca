"""An operator offers hollow workers; a user's real control planes get a pool of them, full of pods.

None of the servers boots: each joins with its bootstrap token, as itself, and kwok plays its pods.
"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter

import pytest
from tests.support.clouds import Json, Service, ok
from tests.support.leftovers import census
from tests.support.localregion import PROJECT, LocalRegion, until
from tests.support.workload import Workload

_POOL = "hollow"
_OF_POOL = f"vks.verda/pool={_POOL}"
#: Workers of the pool at its largest, and a route for each.
_ALLOWED = 100


def lasting(region: LocalRegion) -> Counter[str]:
    """What there is but templates: those of a pool stay as long as its cluster."""
    return Counter({kind: n for kind, n in census(region).items() if "template" not in kind})


@pytest.fixture(scope="module")
def before(region: LocalRegion, demo: Workload) -> Counter[str]:
    return lasting(region)


@pytest.fixture(scope="module")
def offer(region: LocalRegion, before: Counter[str]) -> None:
    """What an operator does: quotas are those of a machine's real servers until then."""
    region.up("--hollow-workers", "--start-delay", "0")
    project = region.admin.identity.find_project(PROJECT).id
    compute = Service(region.admin.session, "compute")
    ok(compute.put(f"/os-quota-sets/{project}", {"quota_set": {"instances": _ALLOWED}}))
    network = Service(region.admin.session, "network")
    ok(network.put(f"/v2.0/quotas/{project}", {"quota": {"router_route": _ALLOWED}}))


@pytest.fixture(scope="module")
def pool(region: LocalRegion, demo: Workload, offer: None) -> None:
    region.vks("pool", "create", demo.name, _POOL, "--count", "20", "--flavor", "hollow-small")


def test_hollow_servers_become_nodes_like_any_others(
    region: LocalRegion, demo: Workload, pool: None, before: Counter[str]
) -> None:
    nodes = demo.objects("nodes", f"--selector={_OF_POOL}")
    assert len(nodes) == 20
    servers = {one.id: one for one in region.admin.compute.servers(all_projects=True)}
    for node in nodes:
        server = servers[node["spec"]["providerID"].rpartition("/")[2]]
        assert node["metadata"]["name"] == server.name
        zone = node["metadata"]["labels"]["topology.kubernetes.io/zone"]
        assert node["spec"]["providerID"] == f"verda:///{region.name}/{zone}/{server.id}"
        assert not node["spec"].get("taints")
        assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "hollow://1"
    booted = ("disk", "cgroup", "namespace of server")
    assert {kind: census(region)[kind] for kind in booted} == {k: before[k] for k in booted}

    console = region.admin.compute.get_server_console_output(server.id)["output"]
    assert "kubeadm: joined the cluster" in console


def test_each_authenticates_as_itself(demo: Workload, pool: None) -> None:
    requests = demo.objects("certificatesigningrequests")
    signed = [one for one in requests if one["status"].get("certificate")]
    assert len([r for r in signed if r["spec"]["username"].startswith("system:bootstrap:")]) >= 20
    names = {node["metadata"]["name"] for node in demo.objects("nodes", f"--selector={_OF_POOL}")}
    leases = {
        lease["metadata"]["name"]: lease["spec"]["holderIdentity"]
        for lease in demo.objects("leases", "--namespace=kube-node-lease")
    }
    assert {name: leases[name] for name in names} == {name: name for name in names}


def test_pods_spread_over_them_and_run(demo: Workload, pool: None) -> None:
    demo.kubectl("apply", f"--filename={deployment(demo, 40)}")
    demo.kubectl("rollout", "status", "deployment/filler", "--timeout=60s")
    pods = demo.objects("pods", "--selector=app=filler")
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    ranges = {n["metadata"]["name"]: n["spec"]["podCIDR"] for n in demo.nodes()}
    for pod in pods:
        address = ipaddress.ip_address(pod["status"]["podIP"])
        assert address in ipaddress.ip_network(ranges[pod["spec"]["nodeName"]])
    spread = Counter(pod["spec"]["nodeName"] for pod in pods)
    assert len(spread) == 20


def test_the_pool_grows_and_every_node_has_its_route(
    region: LocalRegion, demo: Workload, pool: None
) -> None:
    region.vks("pool", "scale", demo.name, _POOL, "--count", "50")
    nodes = demo.nodes()
    assert len(nodes) == 56
    wanted = {node["spec"]["podCIDR"] for node in nodes}

    def routed() -> set[str]:
        routers = region.admin.network.routers()
        return {route["destination"] for router in routers for route in router.routes}

    until(routed, lambda routes: wanted <= routes, within=30.0)


def test_it_shrinks_to_nothing_and_nothing_is_left(
    region: LocalRegion, demo: Workload, pool: None, before: Counter[str]
) -> None:
    region.vks("pool", "scale", demo.name, _POOL, "--count", "0")
    assert len(demo.nodes()) == 6
    waiting = demo.objects("pods", "--selector=app=filler", "--field-selector=status.phase=Pending")
    assert len(waiting) == 40
    demo.kubectl("delete", "deployment/filler", "--now")
    region.vks("pool", "delete", demo.name, _POOL, "--yes")
    until(lambda: lasting(region), lambda now: now == before, within=30.0)


def deployment(demo: Workload, replicas: int) -> str:
    """A manifest of pods that only hollow nodes take; its path."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "filler"}},
    }
    pod: Json = {
        "nodeSelector": {"vks.verda/pool": _POOL},
        "topologySpreadConstraints": [spread],
        "containers": [{"name": "filler", "image": "registry.invalid/never/pulled:v1"}],
    }
    labels = {"app": "filler"}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "filler"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    path = demo.kubeconfig.with_name("filler.json")
    path.write_text(json.dumps(manifest))
    return str(path)
