"""Upgrades over the REST API: what is allowed, in which order it happens, how it is steered."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.apiserver.service.conftest import Vks
from tests.support.apiserver import ApiServer
from tests.support.service import ZONES, cluster_request, until

from vks.kube.objects import Resource
from vks.resources.clusterapi import KubeadmControlPlane, MachineDeployment
from vks.resources.core import Secret
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.service.api.workload import DeprecatedApi, parse_deprecated
from vks.verda.compute import Limits

OLD, NEW = "v1.35.4", "v1.36.3"
BUDGETS = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")


async def make_cluster(vks: Vks, apiserver: ApiServer, version: str = OLD) -> None:
    """A cluster of the version, said to be ready; its own API is the management cluster's."""
    pools = [{"name": name, "replicas": 1, "flavor": "small"} for name in ("a", "b")]
    request = cluster_request(version=version, nodePools=pools)
    assert (await vks.call("POST", "/clusters", request)).status_code == 202
    body = {
        "metadata": {"name": "demo-kubeconfig", "namespace": vks.namespace},
        "data": {"value": base64.b64encode(apiserver.kubeconfig).decode()},
    }
    await vks.client.apply(Secret, body, field_manager="tests")
    await control_plane_is(vks, version)
    for name in ("a", "b"):
        await pool_is_ready(vks, name, version)


async def control_plane_is(vks: Vks, version: str) -> None:
    """What the control plane provider does once it has rolled out."""

    async def asked() -> KubeadmControlPlane | None:
        found = await vks.client.list(KubeadmControlPlane, vks.namespace)
        return next((p for p in found.items if p.spec.version == version), None)

    plane = await until(asked)
    counts = dict.fromkeys(("replicas", "readyReplicas", "upToDateReplicas"), plane.spec.replicas)
    status = {
        **counts,
        "observedGeneration": plane.metadata.generation,
        "version": version,
        "initialization": {"controlPlaneInitialized": True},
    }
    await vks.client.merge_patch(
        KubeadmControlPlane, "demo-cp", vks.namespace, {"status": status}, subresource="status"
    )

    async def told() -> bool:
        cluster = await vks.client.get(ManagedCluster, "demo", vks.namespace)
        return any(
            c.type == "ControlPlaneReady" and c.status == "True" for c in cluster.status.conditions
        )

    await until(told)


async def pool_is_ready(vks: Vks, name: str, version: str) -> None:
    """What core does once a pool's machines are of the version."""

    async def asked() -> list[MachineDeployment]:
        selector = f"vks.verda/pool={name}"
        found = await vks.client.list(MachineDeployment, vks.namespace, label_selector=selector)
        told = [d for d in found.items if d.spec.template.spec.version == version]
        return told if len(told) == len(ZONES) else []

    for deployment in await until(asked):
        meta, replicas = deployment.metadata, deployment.spec.replicas
        counts = dict.fromkeys(("replicas", "readyReplicas", "upToDateReplicas"), replicas)
        status = {**counts, "observedGeneration": meta.generation}
        await vks.client.merge_patch(
            MachineDeployment, meta.name, meta.namespace, {"status": status}, subresource="status"
        )


async def versions(vks: Vks) -> dict[str, str | None]:
    pools = (await vks.client.list(NodePool, vks.namespace)).items
    return {pool.spec.pool_name: pool.spec.version for pool in pools}


async def becomes(vks: Vks, wanted: dict[str, str | None]) -> None:
    async def reached() -> bool:
        return await versions(vks) == wanted

    await until(reached)


async def start(vks: Vks, version: str = NEW, **more: Any) -> Any:
    return await vks.call("POST", "/clusters/demo/upgrades", {"version": version, **more})


async def steer(vks: Vks, action: str) -> dict[str, Any]:
    answer = await vks.call("POST", f"/clusters/demo/upgrades/{action}")
    assert answer.status_code == 202, answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


async def operation(vks: Vks, identity: str, phase: str) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = (await vks.call("GET", f"/operations/{identity}")).json()
        return found if found["phase"] == phase else None

    return await until(ended)


async def test_the_control_plane_goes_first_then_one_pool_after_the_other(
    vks: Vks, apiserver: ApiServer
) -> None:
    await make_cluster(vks, apiserver)
    answer = await start(vks)
    assert answer.status_code == 202, answer.text
    running = await operation(vks, answer.json()["id"], "Running")
    names = [step["name"] for step in running["steps"]]
    assert names == ["ControlPlane", "NodePool a", "NodePool b"]
    plane = await vks.client.get(KubeadmControlPlane, "demo-cp", vks.namespace)
    assert await versions(vks) == {"a": OLD, "b": OLD}, plane.spec.version

    await control_plane_is(vks, NEW)
    await becomes(vks, {"a": NEW, "b": OLD})
    await pool_is_ready(vks, "a", NEW)
    await becomes(vks, {"a": NEW, "b": NEW})
    await pool_is_ready(vks, "b", NEW)
    done = await operation(vks, answer.json()["id"], "Succeeded")
    assert done["progress"] == 100
    seen = (await vks.call("GET", "/clusters/demo/upgrades")).json()
    assert (seen["controlPlane"], seen["available"]) == (NEW, [])


async def test_servers_of_the_new_version_boot_from_its_image(
    vks: Vks, apiserver: ApiServer
) -> None:
    await make_cluster(vks, apiserver)
    await start(vks)
    await control_plane_is(vks, NEW)
    await becomes(vks, {"a": NEW, "b": OLD})
    pools = (await vks.client.list(NodePool, vks.namespace)).items
    assert {pool.spec.pool_name: pool.spec.image for pool in pools} == {"a": "i1", "b": "i3"}
    cluster = await vks.client.get(ManagedCluster, "demo", vks.namespace)
    assert cluster.spec.control_plane.image == "i1"


async def test_a_paused_upgrade_stands_still_until_it_is_resumed(
    vks: Vks, apiserver: ApiServer
) -> None:
    await make_cluster(vks, apiserver)
    await start(vks)
    await steer(vks, "pause")

    async def paused() -> bool:
        plane = await vks.client.get(KubeadmControlPlane, "demo-cp", vks.namespace)
        return "cluster.x-k8s.io/paused" in plane.metadata.annotations

    await until(paused)
    await steer(vks, "resume")
    await control_plane_is(vks, NEW)
    await becomes(vks, {"a": NEW, "b": OLD})
    await steer(vks, "pause")

    async def rollout_paused() -> bool:
        found = await vks.client.list(MachineDeployment, vks.namespace)
        return {d.metadata.labels["vks.verda/pool"] for d in found.items if d.spec.paused} == {"a"}

    await until(rollout_paused)
    assert not await paused(), "the control plane is done"
    await steer(vks, "resume")

    async def both() -> bool:
        await pool_is_ready(vks, "a", NEW)  # as often as the controllers tell it something new
        return await versions(vks) == {"a": NEW, "b": NEW}

    await until(both)


async def test_an_aborted_upgrade_takes_the_pool_in_progress_back(
    vks: Vks, apiserver: ApiServer
) -> None:
    await make_cluster(vks, apiserver)
    identity = (await start(vks)).json()["id"]
    await control_plane_is(vks, NEW)
    await becomes(vks, {"a": NEW, "b": OLD})
    assert (await steer(vks, "abort"))["id"] == identity
    await becomes(vks, {"a": OLD, "b": OLD})

    async def ended() -> dict[str, Any] | None:
        await pool_is_ready(vks, "a", OLD)
        found: dict[str, Any] = (await vks.call("GET", f"/operations/{identity}")).json()
        return found if found["phase"] == "Failed" else None

    failed = await until(ended)
    assert failed["error"]["code"] == "UpgradeAborted"
    assert f"control plane runs {NEW}, node pools {OLD}" in failed["error"]["message"]
    late = await vks.call("POST", "/clusters/demo/upgrades/resume")
    assert (late.status_code, late.json()["code"]) == (409, "conflict")

    again = await start(vks)  # for the pools alone
    assert again.status_code == 202, again.text
    await becomes(vks, {"a": NEW, "b": OLD})


async def test_an_upgrade_that_is_aborted_at_once_changes_nothing(
    vks: Vks, apiserver: ApiServer
) -> None:
    await make_cluster(vks, apiserver)
    identity = (await start(vks)).json()["id"]
    await steer(vks, "abort")

    async def failed() -> bool:
        await control_plane_is(vks, OLD)
        found = (await vks.call("GET", f"/operations/{identity}")).json()
        return bool(found["phase"] == "Failed")

    await until(failed)
    cluster = await vks.client.get(ManagedCluster, "demo", vks.namespace)
    assert (cluster.spec.version, cluster.spec.control_plane.image) == (OLD, "i3")


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("v1.36.3", "runs v1.36.3 already"),
        ("v1.35.4", "does not go back"),
        ("v1.38.0", "skips a minor version"),
        ("v1.37.0", "unknown version"),
        ("latest", "is no version"),
    ],
)
async def test_an_upgrade_that_cannot_be_names_the_field(
    vks: Vks, apiserver: ApiServer, version: str, says: str
) -> None:
    await make_cluster(vks, apiserver, NEW)
    answer = await start(vks, version, force=True)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid"), problem
    assert [error["field"] for error in problem["errors"]] == ["version"]
    assert says in problem["errors"][0]["message"]
    cluster = await vks.client.get(ManagedCluster, "demo", vks.namespace)
    assert cluster.spec.upgrade is None


async def test_a_second_upgrade_waits_for_the_first(vks: Vks, apiserver: ApiServer) -> None:
    await make_cluster(vks, apiserver)
    assert (await start(vks)).status_code == 202
    second = await start(vks, force=True)
    assert (second.status_code, second.json()["code"]) == (409, "conflict")


async def test_the_same_request_with_the_same_key_is_one_upgrade(
    vks: Vks, apiserver: ApiServer
) -> None:
    await make_cluster(vks, apiserver)
    path, body = "/clusters/demo/upgrades", {"version": NEW}
    first = await vks.call("POST", path, body, idempotency_key="u1")
    again = await vks.call("POST", path, body, idempotency_key="u1")
    assert first.json()["id"] == again.json()["id"]


def checks(option: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in option["checks"]}


async def test_what_speaks_against_an_upgrade_is_said_before_it(
    vks: Vks, apiserver: ApiServer
) -> None:
    await make_cluster(vks, apiserver)
    (option,) = (await vks.call("GET", "/clusters/demo/upgrades")).json()["available"]
    assert option["allowed"], option
    assert checks(option) == {
        "VersionSkew": "Passed",
        "ControlPlane": "Passed",
        "PodDisruptionBudgets": "Passed",
        "DeprecatedAPIs": "Passed",
        "SurgeQuota": "Passed",
        "IPSlots": "Passed",
    }
    vks.identity.cloud.quota = Limits(max_instances=5, instances=5, max_cores=-1, max_ram=-1)
    budget = {"metadata": {"name": "strict", "namespace": vks.namespace}}
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    await vks.client.create(BUDGETS, {**budget, "spec": spec})
    counts = {"currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1, "disruptionsAllowed": 0}
    await vks.client.merge_patch(
        BUDGETS, "strict", vks.namespace, {"status": counts}, subresource="status"
    )
    (option,) = (await vks.call("GET", "/clusters/demo/upgrades")).json()["available"]
    assert not option["allowed"]
    found = {check["name"]: check for check in option["checks"]}
    assert found["PodDisruptionBudgets"]["objects"] == [f"{vks.namespace}/strict"]
    assert "1 instances wanted, 0 free" in found["SurgeQuota"]["message"]

    refused = await start(vks)
    assert (refused.status_code, refused.json()["code"]) == (409, "upgrade_blocked")
    fields = {error["field"] for error in refused.json()["errors"]}
    assert fields == {"PodDisruptionBudgets", "SurgeQuota"}
    assert (await start(vks, force=True)).status_code == 202


async def test_a_cluster_that_does_not_answer_is_not_upgraded_blindly(
    vks: Vks, apiserver: ApiServer
) -> None:
    await make_cluster(vks, apiserver)
    await vks.client.delete(Secret, "demo-kubeconfig", vks.namespace)
    (option,) = (await vks.call("GET", "/clusters/demo/upgrades")).json()["available"]
    assert checks(option)["PodDisruptionBudgets"] == "Unknown"
    assert (await start(vks)).json()["code"] == "upgrade_blocked"


async def test_what_an_api_server_says_of_deprecated_apis_is_understood(vks: Vks) -> None:
    await vks.client.raw("GET", "/api/v1/componentstatuses")
    found = parse_deprecated(bytes(await vks.client.raw("GET", "/metrics")).decode())
    assert DeprecatedApi("v1 componentstatuses", "") in found
