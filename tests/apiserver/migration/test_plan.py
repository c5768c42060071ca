"""A plan for a legacy cluster: made from what runs, refused with every reason, and harmless."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import yaml
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.provider.region import eventually
from tests.support.apiserver import ApiServer

from vks.kube.objects import Resource
from vks.legacy import pki
from vks.migration.controller import setup
from vks.resources.clustermigration import ClusterMigration, MigrationPlan
from vks.resources.core import ConfigMap, Secret
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.runtime.manager import Manager

pytestmark = pytest.mark.timeout(180)

WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)


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


async def patch_secret(legacy: Legacy, name: str, **data: str | None) -> None:
    """None takes a key away."""
    encoded = {
        key: None if value is None else base64.b64encode(value.encode()).decode()
        for key, value in data.items()
    }
    body = {"data": {key.replace("_", "."): value for key, value in encoded.items()}}
    await legacy.client.merge_patch(Secret, f"{NAME}-{name}", legacy.namespace, body)


async def spoil(legacy: Legacy) -> None:
    """What agents, etcd and the vault tell of a cluster that nobody should migrate."""

    async def say(model: type[LegacyCluster | LegacyNode], name: str, **status: object) -> None:
        patch = {"status": status}
        await legacy.client.merge_patch(model, name, legacy.namespace, patch, subresource="status")

    first, second, third = await legacy.nodes("control-plane")
    await legacy.client.merge_patch(
        LegacyCluster, NAME, legacy.namespace, {"spec": {"version": "v1.20.0"}}
    )
    voting = [
        {"name": f"etcd-{node.metadata.name}", "peerUrl": f"https://{node.status.address}:2380"}
        for node in (first, second)
    ]
    await say(LegacyCluster, NAME, etcdMembers=voting)
    external = {"kube-apiserver": {"--etcd-servers": "https://etcd.example:2379"}}
    await say(LegacyNode, first.metadata.name, running=external)
    down = {"type": "Ready", "status": "False", "reason": "ServicesUnhealthy", "message": ""}
    since = {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    await say(LegacyNode, second.metadata.name, conditions=[down | since])
    await say(LegacyNode, third.metadata.name, running={"etcd": {"--snapshot-count": "7"}})
    expired = await asyncio.to_thread(pki.new_authority, "kube-ca")
    await patch_secret(legacy, "ca", tls_crt=expired.certificate, tls_key=expired.key)
    await patch_secret(legacy, "legacy-keys", encryption=None)


@contextlib.asynccontextmanager
async def left_in_cluster(legacy: Legacy) -> AsyncIterator[None]:
    """A strict webhook, and what an earlier attempt has left."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    webhook = {
        "name": "strict.example.com",
        "rules": [{**rule, "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"of": "nobody-here"}},
        "clientConfig": {"url": "https://127.0.0.1:1"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    await legacy.client.create(WEBHOOKS, {"metadata": {"name": "strict"}, "webhooks": [webhook]})
    left_over = {"metadata": {"name": "kubeadm-config", "namespace": "kube-system"}}
    await legacy.client.create(ConfigMap, left_over)
    try:
        yield
    finally:
        await legacy.client.delete(ConfigMap, "kubeadm-config", "kube-system")
        await legacy.client.delete(WEBHOOKS, "strict")


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
    legacy: Legacy, apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever clusters of an old provisioner suffer from; nothing changes by asking."""
    async with standing(legacy, apiserver):
        pass  # from here on nobody repairs what is broken
    monkeypatch.setattr(pki, "LIFETIME", timedelta(minutes=-30))
    await spoil(legacy)
    async with contextlib.AsyncExitStack() as inside:
        await inside.enter_async_context(left_in_cluster(legacy))
        await inside.enter_async_context(migrating(legacy))
        before = await everything(legacy)
        made = await plan(legacy, "bad")
        assert await everything(legacy) == before
    checks = {finding.check for finding in made.refusals}
    assert checks == {
        "NodesReady",
        "VersionSupported",
        "EtcdStacked",
        "EtcdMembers",
        "AuthoritiesValid",
        "EncryptionKeys",
        "FlagsEqual",
        "WebhooksHarmless",
        "NoKubeadmObjects",
    }
    assert all(finding.message and finding.fix for finding in made.refusals)
    about_etcd = [f.message for f in made.refusals if f.check == "EtcdMembers"]
    assert [message.partition(":")[0] for message in about_etcd] == [
        "etcd has 2 voting members",
        "unhealthy members",
    ]
    async with migrating(legacy):
        again = await plan(legacy, "after the repair")
    assert {f.check for f in again.refusals} == checks - {"WebhooksHarmless", "NoKubeadmObjects"}


async def test_a_cluster_that_does_not_answer_is_refused_for_that_and_more(
    legacy: Legacy, apiserver: ApiServer
) -> None:
    async with standing(legacy, apiserver):
        pass
    silent = yaml.safe_load(apiserver.kubeconfig)
    silent["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    await patch_secret(legacy, "kubeconfig", value=yaml.safe_dump(silent))
    await patch_secret(legacy, "legacy-keys", encryption=None)
    async with migrating(legacy):
        made = await plan(legacy, "silent")
    assert {f.check for f in made.refusals} >= {"ApiAnswers", "EncryptionKeys"}
