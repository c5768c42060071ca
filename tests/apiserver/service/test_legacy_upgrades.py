"""Upgrades of legacy clusters over the REST API: no other than those of any cluster."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from tests.apiserver.service.conftest import Vks
from tests.apiserver.service.test_legacy import made
from tests.support.apiserver import ApiServer
from tests.support.service import until

from vks.legacy.server.legacycluster.decide import Create, decide
from vks.legacy.server.legacycluster.status import new_status
from vks.resources.core import Secret
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.service.api.workload import deprecated_apis

OLD, NEW = "v1.35.4", "v1.36.3"
IMAGES = {"i3": OLD, "i1": NEW}
PATH = "/clusters/old/upgrades"


class Provisioner:
    """The legacy server whose nodes are ready as soon as they are made."""

    def __init__(self, vks: Vks) -> None:
        self.client = vks.client
        self.namespace = vks.namespace
        self._made = 0

    async def cluster(self) -> LegacyCluster:
        return await self.client.get(LegacyCluster, "old", self.namespace)

    async def nodes(self) -> list[LegacyNode]:
        return (await self.client.list(LegacyNode, self.namespace)).items

    async def versions(self, role: str = "control-plane", pool: str | None = None) -> list[str]:
        found = [n for n in await self.nodes() if (n.spec.role, n.spec.pool) == (role, pool)]
        return sorted(node.status.version for node in found)

    async def step(self) -> int:
        """The changes that may be made now; how many there were."""
        cluster = await self.cluster()
        changes = decide(cluster, await self.nodes())
        for change in changes:
            if isinstance(change, Create):
                await self._create(change)
            else:
                meta = change.node.metadata
                await self.client.delete(LegacyNode, meta.name, meta.namespace, uid=meta.uid)
        status = msgspec.structs.replace(
            new_status(cluster, await self.nodes()), initialized=True, founder="x"
        )
        known = {k: v for k, v in msgspec.to_builtins(status).items() if v is not None}
        await self.client.merge_patch(
            LegacyCluster, "old", self.namespace, {"status": known}, subresource="status"
        )
        return len(changes)

    async def settle(self) -> None:
        while await self.step():
            pass

    async def _create(self, change: Create) -> None:
        self._made += 1
        name = f"{change.prefix}-{self._made}"
        labels = {"cluster.x-k8s.io/cluster-name": "old"}
        spec = {k: v for k, v in msgspec.to_builtins(change.spec).items() if v is not None}
        body = {
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "spec": spec,
        }
        await self.client.create(LegacyNode, body)
        since = {"reason": "Ready", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        status = {
            "version": IMAGES[spec["image"]],
            "address": "127.0.0.1",
            "conditions": [
                {"type": t, "status": "True", **since} for t in ("Ready", "ServerReady")
            ],
        }
        await self.client.merge_patch(
            LegacyNode, name, self.namespace, {"status": status}, subresource="status"
        )


@pytest.fixture
async def provisioner(vks: Vks, apiserver: ApiServer) -> Provisioner:
    """A legacy cluster of the older version with two pools, all of it ready; its own API is the
    management cluster's."""
    pools = [
        {"name": "a", "replicas": 1, "flavor": "small", "staticIP": {"count": 1}},
        {"name": "b", "replicas": 1, "flavor": "small"},
    ]
    await made(vks, version=OLD, nodePools=pools)
    found = Provisioner(vks)

    async def asked() -> bool:
        return len((await found.cluster()).spec.node_pools) == 2

    await until(asked)
    slot = {"pool": "a", "name": "1", "portID": "p-1", "address": "10.0.0.7"}
    await vks.client.merge_patch(
        LegacyCluster, "old", vks.namespace, {"status": {"slots": [slot]}}, subresource="status"
    )
    body = {
        "metadata": {"name": "old-kubeconfig", "namespace": vks.namespace},
        "data": {"value": base64.b64encode(apiserver.kubeconfig).decode()},
    }
    await vks.client.apply(Secret, body, field_manager="tests")
    await found.settle()
    return found


async def option(vks: Vks) -> dict[str, Any]:
    """The only version that the cluster can go to, once nothing speaks against it any more."""

    async def allowed() -> dict[str, Any] | None:
        available: list[dict[str, Any]] = (await vks.call("GET", PATH)).json()["available"]
        return available[0] if available and available[0]["allowed"] else None

    return await until(allowed)


async def start(vks: Vks) -> str:
    await option(vks)
    answer = await vks.call("POST", PATH, {"version": NEW})
    assert answer.status_code == 202, answer.text
    identity: str = answer.json()["id"]
    return identity


async def pool_versions(vks: Vks) -> dict[str, str | None]:
    pools = (await vks.client.list(NodePool, vks.namespace)).items
    return {pool.spec.pool_name: pool.spec.version for pool in pools}


async def test_versions_are_offered_with_everything_that_is_looked_at(
    vks: Vks, provisioner: Provisioner
) -> None:
    found = await option(vks)
    assert (found["version"], found["image"]) == (NEW, "i1")
    said = {check["name"]: (check["status"], check["message"]) for check in found["checks"]}
    assert said["IPSlots"] == (
        "Passed",
        "every node finds an address again; nodes go before the new ones come in a",
    )
    assert {status for status, _ in said.values()} == {"Passed"}
    seen = (await vks.call("GET", PATH)).json()
    assert seen["controlPlane"] == OLD
    assert seen["nodePools"] == [{"name": name, "version": OLD} for name in ("a", "b")]


async def test_the_control_plane_goes_first_then_one_pool_after_the_other(
    vks: Vks, provisioner: Provisioner
) -> None:
    identity = await start(vks)
    seen: list[tuple[list[str], list[str], list[str]]] = []

    async def finished() -> dict[str, Any] | None:
        await provisioner.step()
        now = (
            await provisioner.versions(),
            await provisioner.versions("worker", "a"),
            await provisioner.versions("worker", "b"),
        )
        if not seen or seen[-1] != now:
            seen.append(now)
        operation: dict[str, Any] = (await vks.call("GET", f"/operations/{identity}")).json()
        return operation if operation["phase"] != "Running" else None

    operation = await until(finished)
    assert operation["phase"] == "Succeeded", operation
    assert [step["name"] for step in operation["steps"]] == [
        "ControlPlane",
        "NodePool a",
        "NodePool b",
    ]
    for planes, first, second in seen:
        assert planes == [NEW] * 3 or (first, second) == ([OLD], [OLD])
        assert first == [NEW] or second == [OLD]
        assert 3 <= len(planes) <= 4
    assert seen[-1] == ([NEW] * 3, [NEW], [NEW])
    assert ([NEW] * 3, [], [OLD]) in seen, "the address is the old node's before it is the new's"
    left = (await vks.call("GET", PATH)).json()
    assert (left["controlPlane"], left["available"]) == (NEW, [])


async def test_paused_it_stands_still_and_aborted_its_pool_goes_back(
    vks: Vks, provisioner: Provisioner
) -> None:
    identity = await start(vks)

    async def begun() -> bool:
        return await provisioner.step() > 0 and NEW in await provisioner.versions()

    await until(begun)
    half = await steered(vks, provisioner, "pause", plane=True)
    assert await provisioner.step() == 0
    assert await provisioner.versions() == half
    await steered(vks, provisioner, "resume", plane=False)

    async def rolls_a_pool() -> bool:
        await provisioner.step()
        return (await pool_versions(vks))["a"] == NEW

    await until(rolls_a_pool)
    assert await provisioner.versions() == [NEW] * 3
    assert (await vks.call("POST", f"{PATH}/abort")).json()["id"] == identity

    async def failed() -> dict[str, Any] | None:
        await provisioner.step()
        operation: dict[str, Any] = (await vks.call("GET", f"/operations/{identity}")).json()
        return operation if operation["phase"] == "Failed" else None

    assert (await until(failed))["error"]["code"] == "UpgradeAborted"
    assert await pool_versions(vks) == {"a": OLD, "b": OLD}
    assert await provisioner.versions("worker", "a") == [OLD]
    assert (await option(vks))["version"] == NEW, "for the pools alone"


async def steered(vks: Vks, provisioner: Provisioner, action: str, *, plane: bool) -> list[str]:
    """The versions of control planes once the provisioner has been told."""
    answer = await vks.call("POST", f"{PATH}/{action}")
    assert answer.status_code == 202, answer.text

    async def told() -> bool:
        return (await provisioner.cluster()).spec.control_plane.paused is plane

    await until(told)
    return await provisioner.versions()


async def test_aborted_before_the_first_node_the_request_is_taken_back(
    vks: Vks, provisioner: Provisioner
) -> None:
    identity = await start(vks)
    assert (await vks.call("POST", f"{PATH}/abort")).status_code == 202

    async def failed() -> bool:
        cluster = await vks.client.get(ManagedCluster, "old", vks.namespace)
        if cluster.spec.version == OLD:
            await provisioner.step()
        operation = (await vks.call("GET", f"/operations/{identity}")).json()
        return bool(operation["phase"] == "Failed")

    await until(failed)
    assert await provisioner.versions() == [OLD] * 3


async def test_every_api_server_is_asked_for_deprecated_apis(
    vks: Vks, provisioner: Provisioner, apiserver: ApiServer
) -> None:
    """None of them knows what another one was asked, and no load balancer leads to all."""
    cluster = await vks.client.get(ManagedCluster, "old", vks.namespace)
    await vks.client.raw("GET", "/api/v1/componentstatuses")
    found = await deprecated_apis(vks.client, cluster)
    assert "v1 componentstatuses" in {api.name for api in found}
    planes = (n for n in await provisioner.nodes() if n.is_control_plane)
    away = next(planes).metadata.name
    status = {"address": "127.0.0.2"}  # where nobody listens
    await vks.client.merge_patch(
        LegacyNode, away, vks.namespace, {"status": status}, subresource="status"
    )
    (offered,) = (await vks.call("GET", PATH)).json()["available"]
    said = {check["name"]: check["status"] for check in offered["checks"]}
    assert said["DeprecatedAPIs"] == "Unknown"
