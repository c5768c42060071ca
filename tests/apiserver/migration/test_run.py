"""A migration's phases on a real API server: in order, resumed after kills, held, taken back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.provider.region import eventually

from vks.migration.controller import setup
from vks.migration.run.phase import Phase
from vks.migration.run.scope import Scope
from vks.resources.clustermigration import ClusterMigration
from vks.resources.core import ConfigMap
from vks.runtime.manager import Manager
from vks.runtime.result import Waiting

pytestmark = pytest.mark.timeout(120)


class Mark:
    """A step whose deed is a ConfigMap; `journal` tells who came by."""

    def __init__(self, name: str, journal: list[str]) -> None:
        self.name = name
        self.journal = journal

    async def do(self, scope: Scope) -> None:
        if await self._exists(scope):
            return
        self.journal.append(f"do {self.name}")
        body = {"metadata": {"name": self.name.lower(), "namespace": scope.namespace}}
        await scope.client.create(ConfigMap, body)
        scope.progress["node"] = self.name
        raise Waiting("Marking", f"{self.name} is being made", 0.01)

    async def undo(self, scope: Scope) -> None:
        if await self._exists(scope):
            self.journal.append(f"undo {self.name}")
            await scope.client.delete(ConfigMap, self.name.lower(), scope.namespace)
            raise Waiting("Unmarking", f"{self.name} goes", 0.01)

    async def _exists(self, scope: Scope) -> bool:
        found = (await scope.client.list(ConfigMap, scope.namespace)).items
        return self.name.lower() in {item.metadata.name for item in found}


def phases(journal: list[str]) -> tuple[Phase, ...]:
    first = Phase(
        "Prepare", "Preparing", "Prepared", (Mark("A", journal), Mark("B", journal)), True
    )
    return (first, Phase("Adopt", "Adopting", "Adopted", (Mark("C", journal),)))


@contextlib.asynccontextmanager
async def running(legacy: Legacy, journal: list[str]) -> AsyncIterator[None]:
    manager = Manager(legacy.client, name="vks-migration", grace_period=2.0)
    setup(manager, phases(journal))
    stop = asyncio.Event()
    task = asyncio.create_task(manager.run(stop))
    try:
        yield
    finally:
        task.cancel()  # as good as a kill: whatever was under way is lost
        await asyncio.gather(task, return_exceptions=True)


async def asked(legacy: Legacy, **spec: Any) -> None:
    """A migration whose plan is made, for a cluster that nobody runs."""
    body = {
        "metadata": {"name": NAME, "namespace": legacy.namespace},
        "spec": {"clusterName": NAME, "planRequest": "one", **spec},
    }
    await legacy.client.apply(ClusterMigration, body, field_manager="operator")


async def planned(legacy: Legacy) -> None:
    await legacy.apply(replicas=3)
    await asked(legacy)
    plan = {"request": "one", "made": "2026-01-01T00:00:00Z"}
    await legacy.client.merge_patch(
        ClusterMigration, NAME, legacy.namespace, {"status": {"plan": plan}}, subresource="status"
    )


async def reached(legacy: Legacy, holds: Callable[[ClusterMigration], bool]) -> ClusterMigration:
    async def look() -> ClusterMigration | None:
        found = await legacy.client.get(ClusterMigration, NAME, legacy.namespace)
        return found if holds(found) else None

    found = await eventually(look)
    assert found is not None
    return found


async def test_steps_are_taken_in_order_up_to_the_target_and_back(legacy: Legacy) -> None:
    journal: list[str] = []
    await planned(legacy)
    async with running(legacy, journal):
        await asked(legacy, target="Prepared")
        found = await reached(legacy, lambda m: m.status.phase == "Prepared")
        assert journal == ["do A", "do B"]
        (record,) = found.status.phases
        assert record.finished_at is not None
        assert [(node.name, node.step) for node in found.status.nodes] == [("node", "B")]
        await asked(legacy, target="Adopted")
        found = await reached(legacy, lambda m: m.status.phase == "Adopted")
        states = {c.type: c.status for c in found.status.conditions}
        assert (states["Prepared"], states["Adopted"]) == ("True", "True")
        await asked(legacy, target="Adopted", rollback=True)
        found = await reached(legacy, lambda m: m.status.phase == "RolledBack")
    assert journal == ["do A", "do B", "do C", "undo C", "undo B", "undo A"]
    states = {c.type: c.status for c in found.status.conditions}
    assert (states["Prepared"], states["RolledBack"]) == ("False", "True")
    assert found.status.phases == ()


async def test_a_killed_controller_goes_on_where_it_was(legacy: Legacy) -> None:
    """Killed after every few milliseconds, no step is done twice."""
    journal: list[str] = []
    await planned(legacy)
    await asked(legacy, target="Adopted")
    for wait in range(60):
        async with running(legacy, journal):
            await asyncio.sleep(0.05 + wait * 0.01)
        found = await legacy.client.get(ClusterMigration, NAME, legacy.namespace)
        if found.status.phase == "Adopted":
            break
    assert found.status.phase == "Adopted"
    assert journal == ["do A", "do B", "do C"]


async def test_what_a_kept_phase_made_is_mended(legacy: Legacy) -> None:
    journal: list[str] = []
    await planned(legacy)
    async with running(legacy, journal):
        await asked(legacy, target="Prepared")
        await reached(legacy, lambda m: m.status.phase == "Prepared")
        await legacy.client.delete(ConfigMap, "a", legacy.namespace)
        await legacy.apply(replicas=3, default=1)  # any news of the cluster
        await eventually(lambda: asyncio.sleep(0, journal == ["do A", "do B", "do A"]))


async def test_a_paused_migration_stands_still(legacy: Legacy) -> None:
    journal: list[str] = []
    await planned(legacy)
    async with running(legacy, journal):
        await asked(legacy, target="Adopted", paused=True)
        await reached(
            legacy,
            lambda m: any(c.type == "Paused" and c.status == "True" for c in m.status.conditions),
        )
        assert journal == []
        await asked(legacy, target="Adopted")
        await reached(legacy, lambda m: m.status.phase == "Adopted")
