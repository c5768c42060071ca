"""A plan for a legacy cluster: made from what runs, refused with every reason, and harmless."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.provider.region import eventually
from tests.support.apiserver import ApiServer

from vks.kube.objects import Resource
from vks.migration.controller import setup
from vks.resources.clustermigration import ClusterMigration, MigrationPlan
from vks.resources.core import ConfigMap, Secret
from vks.resources.legacycluster import LegacyCluster
from vks.runtime.manager import Manager

pytestmark = pytest.mark.timeout(180)

BUDGETS = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")


@contextlib.asynccontextmanager
async def migrating(legacy: Legacy) -> AsyncIterator[None]:
    manager = Manager(legacy.client, name="vks-migration", grace_period=2.0)
    setup(manager, namespace=legacy.namespace)
    stop = asyncio.Event()
    task = asyncio.create_task(manager.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


@contextlib.asynccontextmanager
async def standing(legacy: Legacy, apiserver: ApiServer) -> AsyncIterator[None]:
    """A cluster that runs, whose own API is for once the test's API server."""
    async with legacy.server():
        await legacy.apply(replicas=3, default=1)
        await legacy.settled(4)

        async def reported() -> bool:
            running = [node.status.running for node in await legacy.nodes("control-plane")]
            members = (await legacy.cluster()).status.etcd_members
            return all("kube-scheduler" in flags for flags in running) and len(members) == 3

        await eventually(reported, 60.0)
        kubeconfig = base64.b64encode(apiserver.kubeconfig).decode()
        patch = {"data": {"value": kubeconfig}}
        await legacy.client.merge_patch(Secret, f"{NAME}-kubeconfig", legacy.namespace, patch)
        yield


async def plan(legacy: Legacy, request: str) -> MigrationPlan:
    body = {
        "metadata": {"name": NAME, "namespace": legacy.namespace},
        "spec": {"clusterName": NAME, "planRequest": request},
    }
    await legacy.client.apply(ClusterMigration, body, field_manager="operator")

    async def made() -> MigrationPlan | None:
        found = await legacy.client.get(ClusterMigration, NAME, legacy.namespace)
        status = found.status
        return status.plan if status.plan and status.plan.request == request else None

    found = await eventually(made)
    assert found is not None
    return found


async def everything(legacy: Legacy) -> dict[str, str]:
    """Versions of all that a plan must not touch, and what is in the cloud."""
    versions = {
        f"{type(obj).__name__}/{obj.metadata.name}": obj.metadata.resource_version
        for obj in [
            await legacy.client.get(LegacyCluster, NAME, legacy.namespace),
            *await legacy.nodes(),
            *(await legacy.client.list(Secret, legacy.namespace)).items,
        ]
    }
    return versions | {name: str(n) for name, n in (await legacy.region.census()).items()}


async def test_a_sound_cluster_gets_a_plan_and_nothing_is_touched(
    legacy: Legacy, apiserver: ApiServer
) -> None:
    async with standing(legacy, apiserver), migrating(legacy):
        before = await everything(legacy)
        plans = {name: len(host.plans) for name, host in legacy.world.hosts.items()}
        made = await plan(legacy, "first")
        assert await everything(legacy) == before
        assert {name: len(host.plans) for name, host in legacy.world.hosts.items()} == plans
    assert made.refusals == ()
    assert made.summary.startswith("4 machines would roll, 0 by surprise")
    names = {node.metadata.name for node in await legacy.nodes()}
    assert {node.name for node in made.nodes} == names == set(made.rolled)
    arguments = made.arguments["kube-apiserver"]
    assert arguments["--service-account-issuer"] == "vks-legacy"
    assert "--etcd-servers" not in arguments
    assert "kubernetes.default.svc" in made.server_names


async def test_every_reason_comes_at_once_and_a_new_plan_sees_the_repair(
    legacy: Legacy, apiserver: ApiServer
) -> None:
    async with standing(legacy, apiserver):
        pass  # from here on nobody repairs what is broken
    left_over = {"metadata": {"name": "kubeadm-config", "namespace": "kube-system"}}
    await legacy.client.create(ConfigMap, left_over)
    await legacy.client.delete(Secret, f"{NAME}-ca", legacy.namespace)
    patch = {"status": {"etcdMembers": [{"name": "etcd-x", "peerUrl": "https://192.0.2.1:2380"}]}}
    await legacy.client.merge_patch(
        LegacyCluster, NAME, legacy.namespace, patch, subresource="status"
    )
    async with migrating(legacy):
        try:
            made = await plan(legacy, "bad")
        finally:
            await legacy.client.delete(ConfigMap, "kubeadm-config", "kube-system")
        checks = {finding.check for finding in made.refusals}
        assert checks >= {"EtcdMembers", "AuthoritiesValid", "NoKubeadmObjects"}
        assert all(finding.fix for finding in made.refusals)
        again = await plan(legacy, "after the repair")
        assert "NoKubeadmObjects" not in {finding.check for finding in again.refusals}
        assert again.request == "after the repair"
