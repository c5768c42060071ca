"""A server that is killed after every change, and a cloud that fails: the same cluster, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.provider.mortality import mortal_cloud
from tests.apiserver.provider.region import Faults
from tests.support.apiserver import ApiServer
from tests.support.mortality import Life

import vks.verda.accounts
from vks.kube.client import Client
from vks.legacy.server.setup import setup
from vks.resources.legacycluster import LegacyCluster
from vks.runtime.manager import Manager

pytestmark = pytest.mark.timeout(240)

FAULTS: dict[str, dict[str, Any]] = {
    "errors": {"action": "error", "status": 500, "probability": 0.2},
    "lost answers": {"action": "drop_after", "probability": 0.2},
}


async def live_until(
    done: Callable[[], Awaitable[bool]],
    legacy: Legacy,
    apiserver: ApiServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    changes: int,
    seconds: float,
) -> int:
    """Run servers one after another, each of which is killed after that many changes to the cloud
    or that many seconds, until `done`; how many were killed."""
    deaths = 0
    deadline = asyncio.get_running_loop().time() + 200.0
    while not await done():
        assert asyncio.get_running_loop().time() < deadline, await legacy.described()
        life = Life(changes)
        monkeypatch.setattr(vks.verda.accounts, "Cloud", mortal_cloud(life))
        async with Client(apiserver.config) as client:
            manager = Manager(client, name="vks-legacy", grace_period=0.0)
            setup(manager, client, legacy.options)
            process = asyncio.create_task(manager.run(asyncio.Event()))
            try:
                async with asyncio.timeout(seconds):
                    await life.over.wait()
            except TimeoutError:
                pass
            process.cancel()
            await asyncio.gather(process, return_exceptions=True)
        deaths += 1
    return deaths


async def ready(legacy: Legacy, count: int) -> bool:
    nodes = await legacy.nodes()
    return len(nodes) == count and all(node.status.server_id for node in nodes)


@pytest.mark.parametrize(("changes", "seconds"), [(1, 3.0), (3, 1.5)])
async def test_a_killed_server_neither_leaks_nor_duplicates(
    legacy: Legacy,
    apiserver: ApiServer,
    monkeypatch: pytest.MonkeyPatch,
    changes: int,
    seconds: float,
) -> None:
    before = await legacy.region.census()
    await legacy.apply(replicas=3, default=1)

    async def made() -> bool:
        return await ready(legacy, 4)

    deaths = await live_until(
        made, legacy, apiserver, monkeypatch, changes=changes, seconds=seconds
    )
    monkeypatch.undo()
    async with legacy.server():
        await legacy.settled(4)
    census = await legacy.region.census()
    assert {name: census[name] - before[name] for name in census} == {
        "servers": 4,
        "server groups": 0,
        "ports": 4,
        "networks": 1,
        "load balancers": 0,
    }
    assert len(legacy.world.voters) == 3
    await legacy.client.delete(LegacyCluster, NAME, legacy.namespace)

    async def gone() -> bool:
        return not (await legacy.client.list(LegacyCluster, legacy.namespace)).items

    deaths += await live_until(
        gone, legacy, apiserver, monkeypatch, changes=changes, seconds=seconds
    )
    monkeypatch.undo()
    assert await legacy.region.census() == before
    assert deaths >= 20 // changes


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bad_cloud_gets_the_same_cluster_once(
    legacy: Legacy, faults: Faults, fault: str
) -> None:
    before = await legacy.region.census()
    for service in ("compute", "network"):
        faults.add(service=service, **FAULTS[fault])
    async with legacy.server():
        await legacy.apply(replicas=3, default=1)
        await legacy.settled(4, patience=120.0)
        faults.clear()
        census = await legacy.region.census()
        assert (census["servers"], census["ports"], census["networks"]) == (
            before["servers"] + 4,
            before["ports"] + 4,
            before["networks"] + 1,
        )
        await legacy.client.delete(LegacyCluster, NAME, legacy.namespace)
        await legacy.gone()
    assert await legacy.region.census() == before
