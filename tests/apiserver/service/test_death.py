"""The controllers killed after every change, its answer unseen, or cut off from the API server."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tests.apiserver.service.conftest import Vks
from tests.support.apiserver import ApiServer
from tests.support.chaosproxy import ChaosProxy
from tests.support.mortality import Life
from tests.support.service import (
    TokenTable,
    cluster_request,
    controllers,
    rest_api,
    service_manager,
    until,
)

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.transport import Request
from vks.resources.clusterapi import (
    Cluster,
    KubeadmConfigTemplate,
    KubeadmControlPlane,
    MachineDeployment,
)
from vks.resources.managedcluster import INITIAL_POOLS_ANNOTATION, ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachineTemplate

#: What one cluster with one pool over three zones is made of, and no more.
PARTS: dict[type[Any], int] = {
    Cluster: 1,
    VerdaCluster: 1,
    KubeadmControlPlane: 1,
    NodePool: 1,
    MachineDeployment: 3,
    VerdaMachineTemplate: 2,
    KubeadmConfigTemplate: 1,
}
_numbers = itertools.count()


@pytest.fixture
async def idle(with_crds: None, client: Client) -> Any:
    """The API alone: who runs the controllers, and how long, is the test's business."""
    project = f"mortal{next(_numbers)}"
    identity = TokenTable()
    identity.add("member", project, "member")
    async with rest_api(client, identity) as api:
        yield Vks(api, client, identity, project)


async def census(vks: Vks) -> dict[Any, int]:
    return {model: len((await vks.client.list(model, vks.namespace)).items) for model in PARTS}


async def complete(vks: Vks) -> bool:
    if await census(vks) != PARTS:
        return False
    cluster = await vks.client.get(ManagedCluster, "demo", vks.namespace)
    return INITIAL_POOLS_ANNOTATION not in cluster.metadata.annotations


async def gone(vks: Vks) -> bool:
    """But for the templates, which garbage collection takes: nobody does that here."""
    left = {model for model, count in (await census(vks)).items() if count}
    clusters = (await vks.client.list(ManagedCluster, vks.namespace)).items
    return left <= {VerdaMachineTemplate, KubeadmConfigTemplate} and not clusters


async def live_until(
    done: Callable[[], Awaitable[bool]], config: ClientConfig, namespace: str, limit: int
) -> int:
    """Starts controllers, each of which dies after it has changed `limit` things in the
    namespace, until `done`; how many died."""
    deaths = 0
    known: dict[str, str] = {}
    while not await done():
        life = Life(limit)
        async with Client(config, user_agent="mortal-controllers") as client:
            _make_mortal(client, life, namespace, known)
            manager = service_manager(client, grace_period=0.0)
            task = asyncio.create_task(manager.run(asyncio.Event()))
            for _ in range(100):
                if life.over.is_set() or await done():
                    break
                await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        deaths += life.over.is_set()
    return deaths


def _make_mortal(client: Client, life: Life, namespace: str, known: dict[str, str]) -> None:
    """What a new process writes although it is there already, to be sure of it, changes nothing
    and does not count: `known` are the versions of objects that have been seen."""
    send = client._transport.send

    async def mortal(request: Request) -> bytes:
        ours = request.method != "GET" and f"/{namespace}" in request.path

        def changed(answer: bytes) -> bool:
            return ours and _is_news(json.loads(answer), known)

        answer: bytes = await life.perform(lambda: send(request), changed)
        return answer

    client._transport.send = mortal  # type: ignore[method-assign]


def _is_news(answer: dict[str, Any], known: dict[str, str]) -> bool:
    meta = answer["metadata"]
    uid, version = meta.get("uid", ""), meta.get("resourceVersion", "")
    news = known.get(uid) != version or not uid
    known[uid] = version
    return news


@pytest.mark.timeout(180)
@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_death_after_every_change_ends_in_the_same_cluster_and_then_in_none(
    idle: Vks, apiserver: ApiServer, limit: int
) -> None:
    assert (await idle.call("POST", "/clusters", cluster_request())).status_code == 202
    deaths = await live_until(lambda: complete(idle), apiserver.config, idle.namespace, limit)
    assert await census(idle) == PARTS
    assert (await idle.call("DELETE", "/clusters/demo")).status_code == 202
    deaths += await live_until(lambda: gone(idle), apiserver.config, idle.namespace, limit)
    assert deaths >= 12 // limit


@pytest.mark.timeout(120)
async def test_a_connection_that_is_cut_and_refused_changes_nothing_about_the_end(
    idle: Vks, apiserver: ApiServer
) -> None:
    async with ChaosProxy(apiserver.port) as proxy:
        config = ClientConfig.from_kubeconfig(
            apiserver.kubeconfig_for(f"https://127.0.0.1:{proxy.port}")
        )
        async with Client(config, timeout=3.0) as fragile, controllers(fragile):
            async with _vandal(proxy):
                operation = (await idle.call("POST", "/clusters", cluster_request())).json()["id"]
                await until(lambda: complete(idle), timeout=60)
            async with _vandal(proxy):
                await idle.call("DELETE", "/clusters/demo")
                await until(lambda: gone(idle), timeout=60)

            async def ended() -> bool:
                found = await idle.client.get(Operation, operation, idle.namespace)
                return found.status.finished is not None

            await until(ended, timeout=40)
        assert proxy.cuts >= 4


@asynccontextmanager
async def _vandal(proxy: ChaosProxy) -> AsyncIterator[None]:
    vandal = asyncio.create_task(_vandalise(proxy))
    try:
        yield
    finally:
        vandal.cancel()
        with suppress(asyncio.CancelledError):
            await vandal
        proxy.heal()


async def _vandalise(proxy: ChaosProxy) -> None:
    """Cuts every connection again and again, and lets nobody in for a while now and then. Not for
    ever: in the end what is carried is the attempt of the last one that is not connected, and to
    cut it each time leaves it no chance."""
    for number in range(1, 7):
        await proxy.carries(75)
        proxy.cut()
        if number % 3 == 0:
            proxy.refuse()
            await proxy.refuses(8)
            proxy.heal()
