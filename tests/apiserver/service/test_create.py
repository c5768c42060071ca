"""From a request to the objects that Cluster API works on, and back to nothing."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest
import yaml
from tests.apiserver.service.conftest import Vks
from tests.support.service import cluster_request, until

from vks.kube.errors import NotFound
from vks.kube.objects import Key
from vks.resources.clusterapi import Cluster, KubeadmControlPlane, MachineDeployment
from vks.resources.core import Secret
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachineTemplate
from vks.service.caches import Caches
from vks.service.managedcluster.observe import Observed, observe
from vks.service.operation import controller


async def created(vks: Vks, name: str = "demo", **more: Any) -> dict[str, Any]:
    answer = await vks.call("POST", "/clusters", cluster_request(name, **more))
    assert answer.status_code == 202, answer.text
    operation: dict[str, Any] = answer.json()
    return operation


async def deployments(vks: Vks, count: int) -> list[MachineDeployment]:
    async def probe() -> list[MachineDeployment]:
        found = (await vks.client.list(MachineDeployment, vks.namespace)).items
        return found if len(found) == count else []

    return await until(probe)


async def test_a_request_becomes_the_objects_of_a_cluster(vks: Vks) -> None:
    await created(vks)
    found = await deployments(vks, 3)
    zones = {d.spec.template.spec.failure_domain: d.spec.replicas for d in found}
    assert zones == {"tokyo-1": 1, "tokyo-2": 1, "tokyo-3": 1}
    plane = await vks.client.get(KubeadmControlPlane, "demo-cp", vks.namespace)
    assert plane.spec.replicas == 3
    infrastructure = await vks.client.get(VerdaCluster, "demo", vks.namespace)
    assert set(infrastructure.spec.failure_domains) == {"tokyo-1", "tokyo-2", "tokyo-3"}
    await vks.client.get(Cluster, "demo", vks.namespace)


async def test_a_cluster_that_the_cache_does_not_show_yet_is_not_taken_for_deleted(
    vks: Vks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the operation has been reported to do before."""
    looks = 0

    def late(caches: Caches, key: Key) -> Observed:
        nonlocal looks
        looks += 1
        seen = observe(caches, key)
        return dataclasses.replace(seen, cluster=None) if looks <= 5 else seen

    monkeypatch.setattr(controller, "observe", late)
    operation = (await created(vks))["id"]

    async def seen_at_last() -> bool:
        return looks > 5

    await until(seen_at_last)
    found = await vks.client.get(Operation, operation, vks.namespace)
    assert found.status.finished is None
    assert found.status.error is None


async def test_the_project_gets_credentials_that_are_scoped_to_it(vks: Vks) -> None:
    assert (await vks.call("GET", "/clusters")).json()["items"] == []

    async def secret() -> Secret | None:
        try:
            return await vks.client.get(Secret, "cloud-config", vks.namespace)
        except NotFound:
            return None

    clouds = base64.b64decode((await until(secret)).data["clouds.yaml"])
    auth = yaml.safe_load(clouds)["clouds"]["verda"]["auth"]
    assert auth["project_id"] == f"id-of-{vks.project}"
    assert auth["username"] == "vks"


async def test_scaling_a_pool_keeps_zones_even_and_templates_as_they_are(vks: Vks) -> None:
    await created(vks)
    await deployments(vks, 3)
    templates = await vks.client.list(VerdaMachineTemplate, vks.namespace)
    answer = await vks.call(
        "PATCH", "/clusters/demo/node-pools/default", {"replicas": 5, "labels": {"tier": "web"}}
    )
    assert answer.status_code == 202, answer.text

    async def scaled() -> bool:
        found = await deployments(vks, 3)
        return sorted(d.spec.replicas for d in found) == [1, 2, 2]

    await until(scaled)
    after = await vks.client.list(VerdaMachineTemplate, vks.namespace)
    assert {t.metadata.name for t in after.items} == {t.metadata.name for t in templates.items}


async def test_a_deleted_cluster_leaves_nothing(vks: Vks) -> None:
    await created(vks)
    await deployments(vks, 3)
    answer = await vks.call("DELETE", "/clusters/demo")
    assert answer.status_code == 202
    operation = answer.json()["id"]

    async def gone() -> bool:
        for model in (ManagedCluster, NodePool, Cluster, VerdaCluster, MachineDeployment):
            if (await vks.client.list(model, vks.namespace)).items:
                return False
        return True

    await until(gone)

    async def ended() -> bool:
        found = await vks.client.get(Operation, operation, vks.namespace)
        return found.status.phase == "Succeeded"

    await until(ended)
    assert (await vks.call("GET", "/clusters/demo")).status_code == 404


async def test_the_operation_says_what_it_waits_for(vks: Vks) -> None:
    operation = await created(vks)

    async def running() -> dict[str, Any] | None:
        found: dict[str, Any] = (await vks.call("GET", f"/operations/{operation['id']}")).json()
        return found if found["phase"] == "Running" else None

    steps = (await until(running))["steps"]
    assert [step["name"] for step in steps] == [
        "Network",
        "LoadBalancer",
        "ControlPlane",
        "Workers",
        "AddOns",
    ]
    assert all(step["since"] for step in steps)


async def test_a_taken_name_is_refused(vks: Vks) -> None:
    await created(vks)
    answer = await vks.call("POST", "/clusters", cluster_request())
    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")


@pytest.mark.parametrize("limit", [1, 2])
async def test_lists_come_in_pages(vks: Vks, limit: int) -> None:
    for name in ("a", "b", "c"):
        await created(vks, name, nodePools=[])
    names: list[str] = []
    token = ""
    while True:
        answer = (await vks.call("GET", f"/clusters?limit={limit}{token}")).json()
        assert len(answer["items"]) <= limit
        names += [item["name"] for item in answer["items"]]
        if not answer["continue"]:
            break
        token = f"&continue={answer['continue']}"
    assert names == ["a", "b", "c"]
