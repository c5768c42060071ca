"""Pools of different clusters whose machines would have one name."""

from __future__ import annotations

from typing import Any

from tests.apiserver.service.conftest import Vks
from tests.support.service import ZONES, cluster_request, until

from vks.kube.objects import owner_reference
from vks.resources.clusterapi import MachineDeployment
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.service.applying import plain

POOL = {"name": "c", "replicas": 1, "flavor": "small"}


async def created(vks: Vks, name: str, **more: Any) -> None:
    answer = await vks.call("POST", "/clusters", cluster_request(name=name, **more))
    assert answer.status_code == 202, answer.text


async def deployments(vks: Vks) -> list[MachineDeployment]:
    async def made() -> list[MachineDeployment]:
        found = (await vks.client.list(MachineDeployment, vks.namespace)).items
        return found if len(found) == len(ZONES) else []

    return await until(made)


async def test_pools_whose_machines_would_have_one_name_are_refused(vks: Vks) -> None:
    made = await vks.call(
        "POST", "/clusters", cluster_request(name="a", nodePools=[{**POOL, "name": "b-c"}])
    )
    assert made.status_code == 202, made.text
    taken = await vks.call("POST", "/clusters", cluster_request(name="a-b", nodePools=[POOL]))
    assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")
    message = "its machines would be called like those of pool 'b-c' of cluster 'a'"
    assert taken.json()["errors"] == [{"field": "nodePools.0.name", "message": message}]
    made = await vks.call("POST", "/clusters", cluster_request(name="a-b", nodePools=[]))
    assert made.status_code == 202, made.text
    taken = await vks.call("POST", "/clusters/a-b/node-pools", POOL)
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "name")
    other = await vks.call("POST", "/clusters/a-b/node-pools", {**POOL, "name": "d"})
    assert other.status_code == 202, other.text


async def test_machines_of_another_pool_are_left_alone_whatever_their_name(vks: Vks) -> None:
    """Two requests that come at the same time are not refused, and the second pool waits."""
    await created(vks, "a", nodePools=[{**POOL, "name": "b-c"}])
    theirs = await deployments(vks)
    await created(vks, "a-b", nodePools=[])
    owner = await vks.client.get(ManagedCluster, "a-b", vks.namespace)
    (first,) = (await vks.client.list(NodePool, vks.namespace)).items
    spec = {**plain(first.spec), "clusterName": "a-b", "poolName": "c"}
    labels = {"vks.verda/cluster": "a-b"}
    meta = {"name": "a-b.c", "namespace": vks.namespace, "labels": labels}
    body = {"metadata": {**meta, "ownerReferences": [owner_reference(owner)]}, "spec": spec}
    await vks.client.create(NodePool, body)

    async def waits() -> bool:
        found = await vks.client.get(NodePool, "a-b.c", vks.namespace)
        said = [condition.message for condition in found.status.conditions]
        return "pool b-c of cluster a has machines of its names" in said

    await until(waits)
    found = await deployments(vks)
    assert [d.metadata.uid for d in found] == [d.metadata.uid for d in theirs]
    assert {d.metadata.labels["vks.verda/cluster"] for d in found} == {"a"}
