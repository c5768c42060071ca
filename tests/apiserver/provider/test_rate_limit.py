"""A cloud that takes ten calls a second, and many machines that are wanted at once."""

from __future__ import annotations

import asyncio

import pytest
from tests.apiserver.provider.region import Faults, Region, eventually

from vks.resources.verdamachine import VerdaMachine

RATE = 10.0
MANY = 60


async def with_server(running: Region) -> int:
    """How many machines have asked for their server."""
    listed = (await running.client.list(VerdaMachine, running.namespace)).items
    return sum(1 for machine in listed if machine.status.server_id)


@pytest.mark.timeout(300)
async def test_few_calls_are_wasted_and_a_deletion_overtakes_the_many(
    running: Region, faults: Faults
) -> None:
    await running.add_cluster()
    await running.core_sees_infrastructure()
    zone = running.under_test.zones[0]
    await running.add_machine("old", zone=zone)
    await running.machine_is_provisioned("old")

    faults.limit(RATE)
    faults.forget_calls()
    names = [f"many-{number}" for number in range(MANY)]
    async with asyncio.TaskGroup() as tasks:
        for name in names:
            tasks.create_task(running.add_machine(name, zone=zone))

    async def under_way() -> bool:
        return await with_server(running) > 5

    await eventually(under_way, 60.0)
    await running.client.delete(VerdaMachine, "old", running.namespace)
    await running.gone(VerdaMachine, "old")
    assert await with_server(running) < MANY, "the deletion waited for the many"

    async def all_provisioned() -> bool:
        machines = (await running.client.list(VerdaMachine, running.namespace)).items
        return all(machine.status.initialization.provisioned for machine in machines)

    await eventually(all_provisioned, 200.0)
    refused, calls = faults.refused(), sum(faults.calls().values())
    assert 0 < refused <= 0.05 * calls, f"{refused} of {calls} calls were refused"
    faults.limit(0)
    census = await running.census()
    assert (census["servers"], census["ports"]) == (MANY, MANY)
