"""Port pools under a provider that dies after every change, and under a cloud that fails."""

from __future__ import annotations

from typing import Any

import pytest
from tests.apiserver.provider.mortality import live_until
from tests.apiserver.provider.region import Faults, Region, eventually
from tests.apiserver.provider.test_faults import FAULTS
from tests.apiserver.provider.test_port_pool import POOL, replace

from vks.kube.client import Client
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine


async def ports_by_zone(region: Region, names: list[str]) -> dict[str | None, str | None]:
    machines = [await region.machine(name) for name in names]
    return {m.spec.availability_zone: m.status.port_id for m in machines}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("limit", [1, 2])
async def test_death_after_every_change_keeps_every_address(
    region: Region,
    client: Client,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    apiserver: object,
    limit: int,
) -> None:
    config = apiserver.config  # type: ignore[attr-defined]
    before = await region.census()
    zones = region.under_test.zones[:2]
    deaths = 0

    async def lives(done: Any) -> None:
        nonlocal deaths
        deaths += await live_until(done, config, namespace, monkeypatch, limit=limit, patience=90)

    async def cluster_is_up() -> bool:
        return bool((await region.cluster()).status.initialization.provisioned)

    await region.add_cluster()
    await lives(cluster_is_up)
    await region.core_sees_infrastructure()
    await region.add_port_pool("web", {"name": "1"}, {"name": "2"})
    names = ["w-0", "w-1"]
    for name, zone in zip(names, zones, strict=True):
        await region.add_machine(name, zone=zone, portPoolRef=POOL)

    async def machines_are_up() -> bool:
        machines = {m.metadata.name: m for m in (await client.list(VerdaMachine, namespace)).items}
        return set(machines) == set(names) and all(
            m.status.initialization.provisioned for m in machines.values()
        )

    await lives(machines_are_up)
    first = await ports_by_zone(region, names)
    for number in range(2):
        new = [f"w-{number}-{zone}" for zone in zones]
        for old, name, zone in zip(names, new, zones, strict=True):
            await replace(region, old, name, zone)
        names = new
        await lives(machines_are_up)
        assert await ports_by_zone(region, names) == first
        assert len(await region.verda.compute.servers()) == 2
    census = await region.census()
    assert census["ports"] - before["ports"] == 2

    for name in names:
        await client.delete(VerdaMachine, name, namespace)
    await client.delete(VerdaCluster, "demo", namespace)

    async def gone() -> bool:
        return not (await client.list(VerdaCluster, namespace)).items

    await lives(gone)
    assert await region.census() == before
    assert deaths >= 12 // limit


@pytest.mark.timeout(150)
@pytest.mark.parametrize("fault", ["errors", "rate limit", "lost answers"])
async def test_a_bad_cloud_keeps_every_address(running: Region, faults: Faults, fault: str) -> None:
    zones = running.under_test.zones
    await running.add_cluster()
    await running.core_sees_infrastructure()
    for service in ("compute", "network"):
        faults.add(service=service, **FAULTS[fault])
    await running.add_port_pool("web", *({"name": str(number)} for number in (1, 2, 3)))
    names = ["w-0", "w-1", "w-2"]
    for name, zone in zip(names, zones, strict=True):
        await running.add_machine(name, zone=zone, portPoolRef=POOL)
    for name in names:
        await running.machine_is_provisioned(name)
    first = await ports_by_zone(running, names)
    new = [f"{name}-again" for name in names]
    for old, name, zone in zip(names, new, zones, strict=True):
        await replace(running, old, name, zone)
    for name in new:
        await running.machine_is_provisioned(name)
    faults.clear()
    assert await ports_by_zone(running, new) == first

    async def settled() -> bool:
        return len(await running.verda.compute.servers()) == 3

    await eventually(settled)
    ports = [p for p in await running.verda.network.ports() if "router" not in p.device_owner]
    assert {port.id for port in ports} == set(first.values())
