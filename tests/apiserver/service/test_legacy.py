"""Clusters of the legacy provisioner behind the same API."""

from __future__ import annotations

from typing import Any

from tests.apiserver.service.conftest import Vks
from tests.support.service import cluster_request, until

from vks.resources.clusterapi import Cluster
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.nodepool import NodePool


async def made(vks: Vks, name: str = "old", **more: Any) -> LegacyCluster:
    vks.identity.add("operator", vks.project, "member", "vks-operator")
    request = cluster_request(name, provisioner="legacy", **more)
    answer = await vks.call("POST", "/clusters", request, x_auth_token="operator")
    assert answer.status_code == 202, answer.text

    async def complete() -> LegacyCluster | None:
        found = (await vks.client.list(LegacyCluster, vks.namespace)).items
        return found[0] if found and found[0].spec.node_pools else None

    found = await until(complete)
    assert found is not None
    return found


def worker(vks: Vks, name: str, image: str) -> dict[str, Any]:
    """A node of pool `default`, as the legacy provisioner makes them."""
    labels = {"cluster.x-k8s.io/cluster-name": "old"}
    return {
        "metadata": {"name": name, "namespace": vks.namespace, "labels": labels},
        "spec": {
            "clusterName": "old",
            "role": "worker",
            "pool": "default",
            "zone": "tokyo-1",
            "flavor": "small",
            "image": image,
        },
    }


async def test_an_operators_request_becomes_a_legacy_cluster(vks: Vks) -> None:
    found = await made(vks)
    assert found.spec.control_plane.replicas == 3
    (pool,) = found.spec.node_pools
    assert {zone.name: zone.replicas for zone in pool.zones} == {
        "tokyo-1": 1,
        "tokyo-2": 1,
        "tokyo-3": 1,
    }
    assert (await vks.client.list(Cluster, vks.namespace)).items == []


async def test_users_cannot_choose_and_operators_cannot_ask_for_what_is_not_offered(
    vks: Vks,
) -> None:
    answer = await vks.call("POST", "/clusters", cluster_request(provisioner="legacy"))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "provisioner"
    vks.identity.add("operator", vks.project, "member", "vks-operator")
    pool = {"name": "a", "flavor": "small", "autoscaling": {"min": 1, "max": 2}}
    request = cluster_request(provisioner="legacy", nodePools=[pool])
    answer = await vks.call("POST", "/clusters", request, x_auth_token="operator")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "nodePools.0.autoscaling"
    request = cluster_request(provisioner="legacy", network={"cni": "none"})
    answer = await vks.call("POST", "/clusters", request, x_auth_token="operator")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "network.cni")


async def test_pools_scale_and_nodes_show_without_a_difference(vks: Vks) -> None:
    await made(vks)
    path = "/clusters/old/node-pools/default"
    answer = await vks.call("PATCH", path, {"replicas": 5})
    assert answer.status_code == 202, answer.text

    async def scaled() -> bool:
        found = await vks.client.get(LegacyCluster, "old", vks.namespace)
        return sum(zone.replicas for zone in found.spec.node_pools[0].zones) == 5

    await until(scaled)
    await vks.client.create(LegacyNode, worker(vks, "old-default-x1", "i1"))
    (node,) = (await vks.call("GET", f"{path}/nodes")).json()["items"]
    assert (node["name"], node["pool"], node["role"]) == ("old-default-x1", "default", "worker")


async def test_a_plan_names_the_nodes_that_would_be_replaced(vks: Vks) -> None:
    found = await made(vks)
    (pool,) = found.spec.node_pools
    await vks.client.create(LegacyNode, worker(vks, "old-default-x1", pool.image))

    async def replaced_by(change: dict[str, Any]) -> list[str]:
        answer = await vks.call("PATCH", "/clusters/old/node-pools/default?dryRun=true", change)
        assert answer.status_code == 200, answer.text
        return [node["name"] for node in answer.json()["replaced"]]

    assert await replaced_by({"image": "debian"}) == ["old-default-x1"]
    assert await replaced_by({"labels": {"a": "b"}}) == []


async def test_a_deleted_cluster_takes_its_pools_along(vks: Vks) -> None:
    await made(vks)
    assert (await vks.call("DELETE", "/clusters/old")).status_code == 202

    async def gone() -> bool:
        return bool((await vks.call("GET", "/clusters/old")).status_code == 404)

    await until(gone)
    for model in (LegacyCluster, NodePool):
        assert (await vks.client.list(model, vks.namespace)).items == []
