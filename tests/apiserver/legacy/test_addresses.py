"""Pools with reserved addresses: nodes come and go, addresses and their ports stay."""

from __future__ import annotations

import pytest
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.provider.region import eventually

from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode

pytestmark = pytest.mark.timeout(180)

#: Address, MAC and port.
Slot = tuple[str, str, str]


async def reserved(legacy: Legacy) -> list[Slot]:
    slots = (await legacy.cluster()).status.slots
    return [(slot.address, slot.mac_address, slot.port_id) for slot in slots]


async def worker(legacy: Legacy) -> LegacyNode:
    (found,) = await legacy.nodes("worker")
    return found


async def workers(legacy: Legacy) -> dict[str, str]:
    """Their names by address."""
    return {node.status.address: node.metadata.name for node in await legacy.nodes("worker")}


async def test_a_lost_nodes_successor_has_its_address_and_port(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, slots=2, default=1)
        await legacy.settled(2)
        before, slots = await worker(legacy), await reserved(legacy)
        assert all(all(slot) for slot in slots)
        await legacy.datacenter.lose(before.metadata.name)

        async def replaced() -> bool:
            nodes = await legacy.nodes("worker")
            return all(node.metadata.name != before.metadata.name for node in nodes)

        await eventually(replaced, 60.0)
        await legacy.settled(2)
    after = await worker(legacy)
    assert (after.status.address, after.status.port_id) == (
        before.status.address,
        before.status.port_id,
    )
    assert await reserved(legacy) == slots
    assert (await legacy.region.census())["ports"] == 3


async def test_another_image_keeps_every_address_of_a_pool_without_a_spare(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, slots=2, default=2)
        await legacy.settled(3)
        before = await workers(legacy)
        images = await legacy.region.verda.image.images()
        await legacy.apply(replicas=1, image=images[0].id, slots=2, default=2)

        async def rolled() -> bool:
            return not {*before.values()} & {*(await workers(legacy)).values()}

        await eventually(rolled, 120.0)
        await legacy.settled(3)
    assert (await workers(legacy)).keys() == before.keys()
    assert (await legacy.region.census())["ports"] == 3


async def test_an_address_that_nobody_has_is_given_back_when_it_is_not_wanted(
    legacy: Legacy,
) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, slots=2, default=1)
        await legacy.settled(2)
        own = (await worker(legacy)).status.address
        await legacy.apply(replicas=1, slots=1, default=1)

        async def fewer() -> bool:
            return [address for address, *_ in await reserved(legacy)] == [own]

        await eventually(fewer)
        assert (await legacy.region.census())["ports"] == 2
        await legacy.client.delete(LegacyCluster, NAME, legacy.namespace)
        await legacy.gone()
    assert (await legacy.region.census())["ports"] == 0
