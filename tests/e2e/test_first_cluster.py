"""What a newcomer finds after `make demo`."""

from __future__ import annotations

from functools import partial

from tests.support.clouds import Json
from tests.support.localregion import LocalRegion, until
from tests.support.workload import Workload, is_ready


def nodes_by_role(region: LocalRegion) -> dict[str, list[Json]]:
    nodes = region.read("pool", "nodes", "demo")["items"]
    return {
        role: [node for node in nodes if node["role"] == role]
        for role in ("control-plane", "worker")
    }


def test_a_cluster_over_three_zones_comes_out_of_one_command(
    region: LocalRegion, demo: Workload
) -> None:
    for nodes in nodes_by_role(region).values():
        assert sorted(node["zone"] for node in nodes) == region.zones
    assert [is_ready(node) for node in demo.nodes()] == [True] * 6


def test_the_same_command_finds_nothing_more_to_do(region: LocalRegion, demo: Workload) -> None:
    before = [node["metadata"]["uid"] for node in demo.nodes()]
    assert region.vks("demo", "--name", region.name, timeout=30).count(" Ready ") == 6
    assert [node["metadata"]["uid"] for node in demo.nodes()] == before


def test_nodes_say_which_server_they_are_and_where(region: LocalRegion, demo: Workload) -> None:
    servers = {server.id: server for server in region.admin.compute.servers(all_projects=True)}
    flavors = {"control-plane": "medium", "worker": "small"}
    known = {node["name"]: node for nodes in nodes_by_role(region).values() for node in nodes}
    for node in demo.nodes():
        name, labels = node["metadata"]["name"], node["metadata"]["labels"]
        server = servers[known[name]["serverId"]]
        zone = server.availability_zone
        assert node["spec"]["providerID"] == f"verda:///{region.name}/{zone}/{server.id}"
        assert labels["topology.kubernetes.io/region"] == region.name
        assert labels["topology.kubernetes.io/zone"] == zone
        assert labels["node.kubernetes.io/instance-type"] == flavors[known[name]["role"]]
        (address,) = (a["addr"] for network in server.addresses.values() for a in network)
        assert {a["type"]: a["address"] for a in node["status"]["addresses"]} == {
            "Hostname": name,
            "InternalIP": address,
        }
        wanted = [
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
            for _ in range(known[name]["role"] == "control-plane")
        ]
        # Kubernetes takes `not-ready` away some moments after the node has become ready.
        until(partial(_taints, demo, name), wanted.__eq__, within=30)


def _taints(demo: Workload, name: str) -> list[Json]:
    (node,) = (node for node in demo.nodes() if node["metadata"]["name"] == name)
    taints: list[Json] = node["spec"].get("taints", [])
    return taints
