"""Clusters that come of user data alone, and what a killed program must not lose."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Sequence

import aiohttp
import pytest
from tests.hollow.conftest import VIP, Hollow
from tests.support.eventually import eventually
from tests.support.kubeadmcluster import TOKEN

from vks.kube.client import Client
from vks.kube.codec import Change
from vks.kube.errors import ApiError
from vks.kube.objects import Resource
from vks.local.loadbalancer import Listener, LoadBalancer, Member, Pool
from vks.local.servers.hollow.backend import HollowBackend
from vks.local.servers.hollow.balancers import HollowBalancers
from vks.local.servers.hollow.client import HollowClient
from vks.resources.core import ConfigMap, Node

PODS = Resource("", "v1", "Pod", "pods")
SECRETS = Resource("", "v1", "Secret", "secrets")


async def balance(hollow: Hollow, calls: HollowClient, names: Sequence[str]) -> None:
    members = tuple(Member(n, f"10.128.0.{hollow.numbers[n]}", 6443) for n in names)
    pool = Pool("pool", members=members)
    lb = LoadBalancer("lb", VIP, (Listener("l", hollow.port, "pool"),), (pool,))
    await HollowBalancers(calls).ensure(lb)


async def answers(api: Client) -> bool:
    try:
        await api.raw("GET", "/readyz")
    except ApiError:
        return False
    return True


async def admit(api: Client) -> None:
    """What Cluster API does before a machine joins: a bootstrap token."""
    token_id, _, secret = TOKEN.partition(".")
    data = {"token-id": token_id, "token-secret": secret, "expiration": "2199-01-01T00:00:00Z"}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    meta = {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"}
    await api.create(SECRETS, {"metadata": meta, "data": encoded})


async def nodes(api: Client) -> set[str]:
    return {node.metadata.name for node in (await api.list(Node)).items if node.ready}


async def first(hollow: Hollow, calls: HollowClient, servers: HollowBackend, api: Client) -> None:
    """A cluster of one control plane that lets others in."""
    spec = hollow.init("cp-1")
    await balance(hollow, calls, ["cp-1"])
    await servers.ensure_running(spec)
    await eventually(lambda: answers(api))
    await admit(api)


async def three(hollow: Hollow, calls: HollowClient, servers: HollowBackend, api: Client) -> None:
    await first(hollow, calls, servers, api)
    for name in ("cp-2", "cp-3"):
        await servers.ensure_running(hollow.join(name, control_plane=True))
    await balance(hollow, calls, ["cp-1", "cp-2", "cp-3"])

    async def complete() -> bool:
        found = await api.list(PODS, "kube-system", label_selector="component=kube-apiserver")
        return len(found.items) == 3

    await eventually(complete)


async def test_servers_become_nodes(
    hollow: Hollow, calls: HollowClient, servers: HollowBackend, api: Client
) -> None:
    await first(hollow, calls, servers, api)
    await servers.ensure_running(hollow.join("worker"))
    await eventually(lambda: _equal(api, {"cp-1", "worker"}))

    worker = await api.get(Node, "worker")
    assert worker.spec.pod_cidr == "10.244.1.0/24"
    assert [t.key for t in worker.spec.taints] == ["node.cloudprovider.kubernetes.io/uninitialized"]
    patch = [
        {"op": "test", "path": "/spec/taints/0/key", "value": worker.spec.taints[0].key},
        {"op": "remove", "path": "/spec/taints/0"},
    ]
    await api.json_patch(Node, "worker", "", patch)
    assert (await api.get(Node, "worker")).spec.taints == ()
    pods = await api.list(PODS, "kube-system", label_selector="component=etcd,tier=control-plane")
    assert [pod["metadata"]["name"] for pod in pods.items] == ["etcd-cp-1"]
    config = await api.get(ConfigMap, "kubeadm-config", "kube-system")
    assert f"{VIP}:{hollow.port}" in config.data["ClusterConfiguration"]


async def test_nobody_joins_with_a_wrong_token(
    hollow: Hollow, calls: HollowClient, servers: HollowBackend, api: Client
) -> None:
    await first(hollow, calls, servers, api)
    await servers.ensure_running(hollow.join("intruder", token="abcdef.ffffffffffffffff"))

    async def refused() -> bool:
        return "wrong secret" in await servers.console_output("intruder")

    await eventually(refused)
    assert await nodes(api) == {"cp-1"}


async def test_the_api_is_for_those_who_have_a_certificate(
    hollow: Hollow, calls: HollowClient, servers: HollowBackend, api: Client
) -> None:
    await first(hollow, calls, servers, api)
    stranger = ssl.create_default_context(cadata=hollow.ca.pair.certificate.read_text())
    async with aiohttp.ClientSession() as session:
        url = f"https://{VIP}:{hollow.port}/api/v1/namespaces/kube-system/secrets"
        async with session.get(url, ssl=stranger) as answer:
            assert answer.status == 401


async def test_a_killed_program_goes_on_where_it_was(
    hollow: Hollow, calls: HollowClient, servers: HollowBackend, api: Client
) -> None:
    await first(hollow, calls, servers, api)
    await servers.ensure_running(hollow.join("worker"))
    await eventually(lambda: _equal(api, {"cp-1", "worker"}))
    gone = {"metadata": {"name": "gone", "namespace": "default"}}
    await api.create(ConfigMap, gone)
    await api.delete(ConfigMap, "gone", "default")
    before = await api.list(Node)
    versions = {node.metadata.name: node.metadata.resource_version for node in before.items}

    hollow.kill()
    await hollow.start()
    await eventually(lambda: answers(api))

    after = await api.list(Node)
    assert versions == {n.metadata.name: n.metadata.resource_version for n in after.items}
    await api.merge_patch(Node, "worker", "", {"metadata": {"labels": {"since": "restart"}}})
    # what happened since, and nothing of before
    assert await _changed_since(api, before.resource_version) == {"worker"}


async def test_no_quorum_no_api(
    hollow: Hollow, calls: HollowClient, servers: HollowBackend, api: Client
) -> None:
    await three(hollow, calls, servers, api)
    await servers.stop("cp-1")
    assert await answers(api)
    await servers.stop("cp-2")
    assert not await answers(api)
    await servers.start("cp-1")
    await eventually(lambda: answers(api))


async def test_the_last_server_takes_everything_along(
    hollow: Hollow, calls: HollowClient, servers: HollowBackend, api: Client
) -> None:
    await first(hollow, calls, servers, api)
    await servers.delete("cp-1")
    await HollowBalancers(calls).remove("lb")
    assert await servers.list() == {}
    hollow.kill()
    await hollow.start()
    assert hollow.journal == ""


@pytest.mark.parametrize("cut", [1, 40])
async def test_a_line_that_was_cut_short_was_never_written(
    hollow: Hollow, servers: HollowBackend, cut: int
) -> None:
    await servers.ensure_running(hollow.spec("kept", b""))
    await servers.ensure_running(hollow.spec("lost", b""))
    hollow.kill()
    path = hollow.home / "hollow.journal"
    path.write_bytes(path.read_bytes()[:-cut])
    await hollow.start()
    assert set(await servers.list()) == {"kept"}


async def _changed_since(api: Client, version: str) -> set[str]:
    """The Nodes of the first changes that a watch from `version` tells of."""
    async with (
        asyncio.timeout(10),
        api.watch(Node, resource_version=version) as batches,
    ):
        async for batch in batches:
            changed = {one.object.metadata.name for one in batch if isinstance(one, Change)}
            if changed:
                return changed
    raise AssertionError("the watch ended")


async def _equal(api: Client, names: set[str]) -> bool:
    return await nodes(api) == names
