"""A migration's phases on a real API server: in order, resumed after kills, held, taken back."""

from __future__ import annotations

import asyncio

import pytest
from tests.apiserver.legacy.region import Legacy
from tests.apiserver.migration.migrating import ask, found, phase, planned, reached, running
from tests.apiserver.provider.region import eventually

from vks.migration.run.phase import Phase
from vks.migration.run.scope import Scope
from vks.resources.core import ConfigMap
from vks.runtime.result import Waiting

pytestmark = pytest.mark.timeout(120)


class Mark:
    """A step whose deed is a ConfigMap; `journal` tells what was done."""

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
        items = (await scope.client.list(ConfigMap, scope.namespace)).items
        return self.name.lower() in {item.metadata.name for item in items}


def phases(journal: list[str]) -> tuple[Phase, ...]:
    first = (Mark("A", journal), Mark("B", journal))
    return (
        Phase("Prepare", "Preparing", "Prepared", first, kept=True),
        Phase("Adopt", "Adopting", "Adopted", (Mark("C", journal),)),
    )


async def test_steps_are_taken_in_order_up_to_the_target_and_back(legacy: Legacy) -> None:
    journal: list[str] = []
    await legacy.apply(replicas=3)
    await planned(legacy)
    async with running(legacy, phases(journal)):
        await ask(legacy, target="Prepared")
        prepared = await phase(legacy, "Prepared")
        assert journal == ["do A", "do B"]
        assert [record.finished_at is None for record in prepared.status.phases] == [False]
        assert [(node.name, node.step) for node in prepared.status.nodes] == [("node", "B")]
        await ask(legacy, target="Adopted")
        adopted = await phase(legacy, "Adopted")
        states = {c.type: c.status for c in adopted.status.conditions}
        assert (states["Prepared"], states["Adopted"]) == ("True", "True")
        await ask(legacy, target="Adopted", rollback=True)
        back = await reached(
            legacy,
            lambda m: any(
                c.type == "RolledBack" and c.status == "True" for c in m.status.conditions
            ),
        )
    assert journal == ["do A", "do B", "do C", "undo C", "undo B", "undo A"]
    states = {c.type: c.status for c in back.status.conditions}
    assert (states["Prepared"], states["Adopted"]) == ("False", "False")
    assert (back.status.phase, back.status.phases) == ("RolledBack", ())


async def test_a_killed_controller_goes_on_where_it_was(legacy: Legacy) -> None:
    """Killed again and again: what was done is seen and not done again, what was cut off is."""
    journal: list[str] = []
    await legacy.apply(replicas=3)
    await planned(legacy)
    await ask(legacy, target="Adopted")
    for kills in range(60):
        async with running(legacy, phases(journal)):
            await asyncio.sleep(0.05 + kills * 0.01)
        if (await found(legacy)).status.phase == "Adopted":
            break
    assert (await found(legacy)).status.phase == "Adopted"
    assert list(dict.fromkeys(journal)) == ["do A", "do B", "do C"]


async def test_what_a_kept_phase_made_is_mended(legacy: Legacy) -> None:
    journal: list[str] = []
    await legacy.apply(replicas=3)
    await planned(legacy)
    async with running(legacy, phases(journal)):
        await ask(legacy, target="Prepared")
        await phase(legacy, "Prepared")
        await legacy.client.delete(ConfigMap, "a", legacy.namespace)
        await legacy.apply(replicas=3, default=1)  # any news of the cluster

        async def mended() -> bool:
            return journal == ["do A", "do B", "do A"]

        await eventually(mended)


async def test_a_paused_migration_stands_still(legacy: Legacy) -> None:
    journal: list[str] = []
    await legacy.apply(replicas=3)
    await planned(legacy)
    async with running(legacy, phases(journal)):
        await ask(legacy, target="Adopted", paused=True)
        await reached(
            legacy,
            lambda m: any(c.type == "Paused" and c.status == "True" for c in m.status.conditions),
        )
        assert journal == []
        await ask(legacy, target="Adopted", paused=False)
        await phase(legacy, "Adopted")
