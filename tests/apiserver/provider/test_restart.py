"""A provider that starts with everything in place."""

from __future__ import annotations

import pytest
from tests.apiserver.provider.region import Faults, Region, eventually, provider

from vks.kube.client import Client
from vks.runtime.manager import Manager

MACHINES = 20


def reconciles(manager: Manager, controller: str) -> float:
    """How many have succeeded."""
    results = ("success", "requeue_after")
    name = "controller_runtime_reconcile_total"
    labels = [{"controller": controller, "result": result} for result in results]
    return sum(manager.metrics.registry.get_sample_value(name, label) or 0 for label in labels)


async def fill(region: Region, prefix: str, count: int) -> list[str]:
    names = [f"{prefix}-{number}" for number in range(count)]
    zones = region.under_test.zones
    for number, name in enumerate(names):
        await region.add_machine(name, zone=zones[number % len(zones)])
    return names


@pytest.mark.timeout(180)
async def test_a_restart_changes_nothing_in_the_cloud_and_lists_servers_once(
    region: Region, client: Client, namespace: str, faults: Faults
) -> None:
    async with provider(client, namespace):
        await region.add_cluster()
        await region.core_sees_infrastructure()
        for name in await fill(region, "w", MACHINES):
            await region.machine_is_provisioned(name)
    before = await region.census()
    faults.forget_calls()
    async with provider(client, namespace) as manager:

        async def looked_at_all() -> bool:
            return reconciles(manager, "verdamachine") >= MACHINES

        await eventually(looked_at_all)
        calls = faults.calls()
        assert [kind for kind in calls if " GET " not in kind and "identity" not in kind] == []
        assert [kind for kind in calls if "GET /servers/{" in kind] == []
        assert await region.census() == before

        # And it works: what a user changes now is dealt with.
        await region.add_machine("new", zone=region.under_test.zones[0])
        await region.machine_is_provisioned("new")
