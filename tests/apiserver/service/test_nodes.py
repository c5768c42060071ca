"""Single nodes over the REST API. The workload cluster's API is the management cluster's own."""

from __future__ import annotations

import base64
from typing import Any

from tests.apiserver.service.conftest import Vks
from tests.support.apiserver import ApiServer
from tests.support.service import cluster_request, until

from vks.kube.errors import NotFound
from vks.kube.objects import Resource
from vks.resources.clusterapi import Machine, MachineDeployment
from vks.resources.core import Node, Secret
from vks.resources.nodepool import NodePool

PODS = Resource("", "v1", "Pod", "pods")
BUDGETS = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")


async def make_cluster(vks: Vks, apiserver: ApiServer) -> str:
    """One pool of three, a machine and a Node for each; the first node's name."""
    assert (await vks.call("POST", "/clusters", cluster_request())).status_code == 202
    data = {"value": base64.b64encode(apiserver.kubeconfig).decode()}
    meta = {"name": "demo-kubeconfig", "namespace": vks.namespace}
    await vks.client.apply(Secret, {"metadata": meta, "data": data}, field_manager="tests")

    async def made() -> list[MachineDeployment]:
        found = (await vks.client.list(MachineDeployment, vks.namespace)).items
        return found if len(found) == 3 else []

    names = [await make_machine(vks, deployment) for deployment in await until(made)]
    return names[0]


async def make_machine(vks: Vks, deployment: MachineDeployment) -> str:
    """What core makes of a MachineDeployment, and the kubelet of it."""
    name = f"{deployment.metadata.name}-{vks.project}"
    template = deployment.spec.template.spec
    config = {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfig", "name": name}
    server = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "VerdaMachine", "name": name}
    body = {
        "metadata": {
            "name": name,
            "namespace": vks.namespace,
            "labels": dict(deployment.metadata.labels),
            "finalizers": ["tests.vks.verda/core"],
        },
        "spec": {
            "clusterName": "demo",
            "version": template.version,
            "failureDomain": template.failure_domain,
            "bootstrap": {"configRef": config},
            "infrastructureRef": server,
        },
    }
    await vks.client.create(Machine, body)
    await vks.client.apply(Node, {"metadata": {"name": name}}, field_manager="tests")
    status = {"status": {"nodeRef": {"name": name}}}
    await vks.client.merge_patch(Machine, name, vks.namespace, status, subresource="status")
    return name


async def act(vks: Vks, node: str, action: str, body: Any = None) -> dict[str, Any]:
    answer = await vks.call("POST", f"/clusters/demo/nodes/{node}/{action}", body)
    assert answer.status_code == 202, answer.text
    operation: dict[str, Any] = answer.json()
    return operation


async def ended(vks: Vks, identity: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found: dict[str, Any] = (await vks.call("GET", f"/operations/{identity}")).json()
        return found if found["phase"] in ("Succeeded", "Failed") else None

    return await until(look)


async def put_pod(vks: Vks, node: str) -> None:
    body = {
        "metadata": {"name": "web", "namespace": vks.namespace, "labels": {"app": "web"}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]},
    }
    await vks.client.create(PODS, body)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await vks.client.merge_patch(
        PODS, "web", vks.namespace, {"status": ready}, subresource="status"
    )


async def test_a_node_is_cordoned_and_uncordoned(vks: Vks, apiserver: ApiServer) -> None:
    node = await make_cluster(vks, apiserver)
    done = await ended(vks, (await act(vks, node, "cordon"))["id"])
    assert (done["phase"], done["node"], done["nodePool"]) == ("Succeeded", node, "default")
    assert (await vks.client.get(Node, node)).spec.unschedulable
    await ended(vks, (await act(vks, node, "uncordon"))["id"])
    assert not (await vks.client.get(Node, node)).spec.unschedulable


async def test_a_drain_waits_for_what_a_budget_holds_and_goes_on_by_itself(
    vks: Vks, apiserver: ApiServer
) -> None:
    node = await make_cluster(vks, apiserver)
    await put_pod(vks, node)
    meta = {"name": "strict", "namespace": vks.namespace}
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    await vks.client.create(BUDGETS, {"metadata": meta, "spec": spec})
    operation = await act(vks, node, "drain")

    async def held() -> bool:
        found = (await vks.call("GET", f"/operations/{operation['id']}")).json()
        return any("a PodDisruptionBudget holds" in step["message"] for step in found["steps"])

    await until(held)
    await vks.client.delete(BUDGETS, "strict", vks.namespace)

    async def leaving() -> bool:
        try:
            pod = await vks.client.get(PODS, "web", vks.namespace)
        except NotFound:
            return True
        return "deletionTimestamp" in pod["metadata"]

    await until(leaving)
    await kubelet_ends_pod(vks)
    assert (await ended(vks, operation["id"]))["phase"] == "Succeeded"


async def kubelet_ends_pod(vks: Vks) -> None:
    """A pod that was told to go is gone when its kubelet says so."""
    path = f"/api/v1/namespaces/{vks.namespace}/pods/web"
    try:
        await vks.client.raw("DELETE", path, params={"gracePeriodSeconds": "0"})
    except NotFound:
        return


async def test_a_drain_that_takes_too_long_fails_and_says_what_is_left(
    vks: Vks, apiserver: ApiServer
) -> None:
    node = await make_cluster(vks, apiserver)
    await put_pod(vks, node)
    operation = await act(vks, node, "drain", {"drainTimeoutSeconds": 1})
    failed = await ended(vks, operation["id"])
    assert failed["error"]["code"] == "DrainTimeout"
    assert f"1 left: {vks.namespace}/web" in failed["error"]["message"]
    assert (await vks.client.get(Node, node)).spec.unschedulable
    await kubelet_ends_pod(vks)


async def test_deleting_a_node_scales_down_by_exactly_that_one(
    vks: Vks, apiserver: ApiServer
) -> None:
    node = await make_cluster(vks, apiserver)
    zone = (await vks.client.get(Machine, node, vks.namespace)).spec.failure_domain
    for _ in range(2):  # said twice
        answer = await vks.call("DELETE", f"/clusters/demo/nodes/{node}")
        assert answer.status_code == 202, answer.text

    async def lowered() -> dict[str, int]:
        found = (await vks.client.list(MachineDeployment, vks.namespace)).items
        zones = {d.spec.template.spec.failure_domain: d.spec.replicas for d in found}
        return zones if sum(zones.values()) == 2 else {}

    assert (await until(lowered))[zone] == 0
    machine = await vks.client.get(Machine, node, vks.namespace)
    assert "cluster.x-k8s.io/delete-machine" in machine.metadata.annotations
    pool = await vks.client.get(NodePool, "demo.default", vks.namespace)
    assert (pool.spec.replicas, pool.spec.leaving) == (2, (node,))


async def test_a_recreated_node_is_handed_to_cluster_api_once(
    vks: Vks, apiserver: ApiServer
) -> None:
    node = await make_cluster(vks, apiserver)
    operation = await act(vks, node, "recreate")

    async def deleting() -> bool:
        return (await vks.client.get(Machine, node, vks.namespace)).deleting

    await until(deleting)

    async def steps() -> list[str]:
        found = (await vks.call("GET", f"/operations/{operation['id']}")).json()
        return [step["name"] for step in found["steps"]]

    assert await until(steps) == ["Removal", "Replacement"]
    pool = await vks.client.get(NodePool, "demo.default", vks.namespace)
    assert pool.spec.replicas == 3


async def test_what_is_no_node_of_the_cluster_does_not_exist(
    vks: Vks, apiserver: ApiServer
) -> None:
    await make_cluster(vks, apiserver)
    for method, path in (("POST", "nodes/nope/cordon"), ("DELETE", "nodes/nope")):
        answer = await vks.call(method, f"/clusters/demo/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await vks.call("POST", "/clusters/demo/nodes/nope/explode")
    assert answer.status_code == 422
