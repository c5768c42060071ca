"""A cluster that the legacy provisioner has let go of: nothing of it is touched, until it is given
back."""

from __future__ import annotations

import pytest
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.provider.region import eventually

from vks.kube.objects import find_condition
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode

pytestmark = pytest.mark.timeout(180)


async def release(legacy: Legacy, how: str | None) -> None:
    patch = {"spec": {"release": how}}
    await legacy.client.merge_patch(LegacyCluster, NAME, legacy.namespace, patch)


async def acknowledged(legacy: Legacy, status: str = "True") -> None:
    async def look() -> bool:
        cluster = await legacy.cluster()
        released = find_condition(cluster.status.conditions, "Released")
        return (
            released is not None
            and released.status == status
            and released.observed_generation == cluster.metadata.generation
        )

    await eventually(look)


def plans(legacy: Legacy) -> dict[str, int]:
    return {name: len(host.plans) for name, host in legacy.world.hosts.items()}


async def test_after_the_acknowledgement_nothing_is_written(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, default=1)
        await legacy.settled(2)
        await release(legacy, "Control")
        await acknowledged(legacy)
        before = plans(legacy), list(legacy.world.applied), await legacy.region.census()
        await legacy.apply(replicas=3, default=3)
    async with legacy.server():  # another process knows it, too
        await acknowledged(legacy)
        (worker,) = await legacy.nodes("worker")
        await legacy.datacenter.lose(worker.metadata.name)
        note = {"metadata": {"annotations": {"test/look": "again"}}}
        await legacy.client.merge_patch(LegacyNode, worker.metadata.name, legacy.namespace, note)

        async def looked() -> bool:
            servers = (await legacy.region.census())["servers"]
            return servers == before[2]["servers"] - 1

        await eventually(looked)
        assert len(await legacy.nodes()) == 2
        assert plans(legacy) == before[0]
        assert legacy.world.applied == before[1]


async def test_what_is_given_back_is_mended(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, default=1)
        await legacy.settled(2)
        await release(legacy, "Control")
        await acknowledged(legacy)
        await legacy.apply(replicas=1, default=2)
        await release(legacy, None)
        await acknowledged(legacy, "False")
        await legacy.settled(3)


async def test_a_released_node_is_forgotten_when_its_server_is_gone_and_not_before(
    legacy: Legacy,
) -> None:
    async with legacy.server():
        await legacy.apply(replicas=3, default=0)
        await legacy.settled(3)
        await release(legacy, "Control")
        await acknowledged(legacy)
        name = (await legacy.nodes())[0].metadata.name
        await legacy.client.delete(LegacyNode, name, legacy.namespace)

        async def waits() -> bool:
            node = await legacy.client.get(LegacyNode, name, legacy.namespace)
            deleting = find_condition(node.status.conditions, "Deleting")
            return deleting is not None and deleting.reason == "Released"

        await eventually(waits)
        assert len(legacy.world.voters) == 3
        assert (await legacy.region.census())["servers"] == 3
        await legacy.datacenter.lose(name)

        async def forgotten() -> bool:
            return len(await legacy.nodes()) == 2

        await eventually(forgotten)
        assert len(legacy.world.voters) == 3  # whose member it is now takes it out
        assert name in legacy.world.nodes
        assert (await legacy.region.census())["ports"] == 2


@pytest.mark.parametrize(("how", "networks"), [("Control", 0), ("Everything", 1)])
async def test_a_network_that_was_given_away_outlives_the_cluster(
    legacy: Legacy, how: str, networks: int
) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1)
        await legacy.settled(1)
        await release(legacy, how)
        await acknowledged(legacy)
        await legacy.client.delete(LegacyCluster, NAME, legacy.namespace)
        await legacy.gone()
    census = await legacy.region.census()
    assert (census["servers"], census["networks"]) == (0, networks)
