"""Fleets on a real API server, counted from outside, whatever is killed."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from tests.apiserver.provider.region import eventually
from tests.support.service import install_crds

from vks.kube.client import Client
from vks.migration import controller as migrations
from vks.migration.fleet import controller as fleets
from vks.migration.plan.phase import Planner
from vks.migration.run.phase import Phase
from vks.migration.run.scope import Scope
from vks.resources.clustermigration import ClusterMigration
from vks.resources.legacycluster import LegacyCluster
from vks.resources.managedcluster import ManagedCluster
from vks.resources.migrationfleet import FleetCluster, MigrationFleet
from vks.runtime.manager import Manager
from vks.runtime.result import Result, Waiting

pytestmark = pytest.mark.timeout(400)

NAMES = tuple(f"c{number:02}" for number in range(10))
SHAPE = {"flavor": "small", "image": "i1", "zones": ["tokyo-1"]}


class Work:
    """A step that takes some looks; `journal` is who was worked upon, in order of the begin."""

    name = "Work"

    def __init__(self, looks: int = 5) -> None:
        self._looks = looks
        self.done: dict[str, int] = {}
        self.stuck: set[str] = set()

    @property
    def journal(self) -> list[str]:
        return [*self.done]

    async def do(self, scope: Scope) -> None:
        name = scope.migration.spec.cluster_name
        self.done[name] = self.done.get(name, 0) + 1
        if name in self.stuck or self.done[name] < self._looks:
            raise Waiting("Working", name, 0.02)

    async def undo(self, scope: Scope) -> None:
        return


class Fleet:
    """One fleet in a namespace of its own, whose plans are made by the test."""

    def __init__(self, client: Client, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = client
        self.namespace = namespace
        self.work = Work()
        self.refused: set[str] = set()
        self.most = 0
        monkeypatch.setattr(Planner, "plan", self._plan())
        monkeypatch.setattr(migrations.MigrationReconciler, "_scope", _scope)

    def _plan(self) -> Any:
        refused = self.refused

        async def plan(_: Planner, migration: ClusterMigration, __: Any) -> Any:
            finding = {"check": "EtcdMembers", "message": "two members", "fix": "add one"}
            made = {
                "request": migration.spec.plan_request,
                "made": "2999-01-01T00:00:00Z",
                "refusals": [finding] if migration.spec.cluster_name in refused else [],
            }
            return {"phase": "Planned", "plan": made}, Result()

        return plan

    async def make(self, names: Iterable[str]) -> None:
        for name in names:
            meta = {"name": name, "namespace": self.namespace}
            plane = {"replicas": 3, **SHAPE}
            spec = {"region": "tokyo", "version": "v1.36.3", "controlPlane": plane}
            managed = {"metadata": meta, "spec": {**spec, "provisioner": "legacy", "bootstrap": {}}}
            network = {"podCIDR": "10.244.0.0/16", "serviceCIDR": "10.96.0.0/16"}
            rest = {"identityRef": {"name": "cloud"}, "nodePools": [], "network": network}
            legacy = {"metadata": meta, "spec": {**spec, **rest}}
            await self.client.apply(ManagedCluster, managed, field_manager="user")
            await self.client.apply(LegacyCluster, legacy, field_manager="user")

    async def ask(self, names: Iterable[str] = NAMES, *, called: str = "all", **spec: Any) -> None:
        body = {
            "metadata": {"name": called, "namespace": self.namespace},
            "spec": {"clusters": [*names], "target": "Prepared", **spec},
        }
        await self.client.apply(MigrationFleet, body, field_manager="operator")

    async def found(self, fleet: str = "all") -> MigrationFleet:
        return await self.client.get(MigrationFleet, fleet, self.namespace)

    async def called(self, phase: str, fleet: str = "all") -> MigrationFleet:
        async def look() -> bool:
            return (await self.found(fleet)).status.phase == phase

        try:
            await eventually(look, 120.0)
        except AssertionError as error:
            raise AssertionError((await self.found(fleet)).status) from error
        return await self.found(fleet)

    @contextlib.asynccontextmanager
    async def controlled(self) -> AsyncIterator[None]:
        """Both controllers; leaving is as good as a kill."""
        manager = Manager(self.client, name="vks-migration", grace_period=2.0)
        phases = (Phase("Prepare", "Preparing", "Prepared", (self.work,)),)
        migrations.setup(manager, phases, self.namespace)
        fleets.setup(manager, self.namespace)
        task = asyncio.create_task(manager.run(asyncio.Event()))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def counted(self) -> AsyncIterator[None]:
        """From outside, all the time: how many migrations are under way at once."""
        task = asyncio.create_task(self._count())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _count(self) -> None:
        while True:
            present = (await self.client.list(ClusterMigration, self.namespace)).items
            self.most = max(self.most, sum(_is_under_way(m) for m in present))
            await asyncio.sleep(0.01)


def _is_under_way(migration: ClusterMigration) -> bool:
    plan = migration.status.plan
    return migration.status.phase != "Prepared" and not (plan is not None and plan.refusals)


async def _scope(
    self: migrations.MigrationReconciler, migration: ClusterMigration, _: Phase
) -> Any:
    """Without a cloud: the step needs none."""

    class Bare:
        progress: dict[str, str] = {}

        async def __aenter__(self) -> Bare:
            return self

        async def __aexit__(self, *_: object) -> None:
            return

    bare = Bare()
    bare.migration = migration  # type: ignore[attr-defined]
    return bare


@pytest.fixture
async def fleet(client: Client, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    await install_crds(client)
    fleet = Fleet(client, namespace, monkeypatch)
    await fleet.make(NAMES)
    return fleet


def states(found: MigrationFleet) -> dict[str, set[str]]:
    """The clusters' names by state."""
    by_state: dict[str, set[str]] = {}
    for record in found.status.clusters:
        by_state.setdefault(record.state, set()).add(record.name)
    return by_state


def record(found: MigrationFleet, name: str) -> FleetCluster:
    return next(r for r in found.status.clusters if r.name == name)


async def test_all_are_migrated_and_never_more_at_a_time_than_asked_for(fleet: Fleet) -> None:
    async with fleet.counted(), fleet.controlled():
        await fleet.ask(concurrency=3)
        done = await fleet.called("Finished")
    assert states(done) == {"Done": {*NAMES}}
    assert {*fleet.work.journal[:3]} == {*NAMES[:3]}
    assert 1 < fleet.most <= 3
    assert all(r.started_at and r.finished_at for r in done.status.clusters)


async def test_killed_again_and_again_it_begins_no_more_and_forgets_none(fleet: Fleet) -> None:
    chance = random.Random(3)
    await fleet.ask(concurrency=2)
    async with fleet.counted():
        for life in range(100):
            async with fleet.controlled():  # lives get longer: a slow machine needs it
                await asyncio.sleep(0.05 + chance.random() * (0.3 + life / 20))
            if (await fleet.found()).status.phase == "Finished":
                break
    assert states(await fleet.found()) == {"Done": {*NAMES}}
    assert fleet.most <= 2
    present = (await fleet.client.list(ClusterMigration, fleet.namespace)).items
    assert sorted(m.spec.cluster_name for m in present) == sorted(NAMES)


async def test_it_halts_after_so_many_failures_and_goes_on_when_they_are_mended(
    fleet: Fleet,
) -> None:
    bad = {NAMES[1], NAMES[3]}
    fleet.refused |= bad
    async with fleet.controlled():
        await fleet.ask(concurrency=1, haltAfter=2)
        halted = await fleet.called("Halted")
        assert states(halted) == {
            "Done": {NAMES[0], NAMES[2]},
            "Failed": bad,
            "Waiting": {*NAMES[4:]},
        }
        assert record(halted, NAMES[1]).message == "EtcdMembers: two members"
        assert not {*fleet.work.journal} & bad, "nothing is done against a plan"
        await asyncio.sleep(0.5)
        present = (await fleet.client.list(ClusterMigration, fleet.namespace)).items
        assert {m.spec.cluster_name for m in present} == {*NAMES[:4]}, "nothing else has begun"

        fleet.refused.clear()
        for name in bad:  # as `vks migration plan` does it
            patch = {"spec": {"planRequest": "again", "target": "Planned"}}
            await fleet.client.merge_patch(ClusterMigration, name, fleet.namespace, patch)
        assert states(await fleet.called("Finished")) == {"Done": {*NAMES}}


async def test_what_is_under_way_goes_on_when_it_is_paused_and_the_rest_waits(
    fleet: Fleet,
) -> None:
    fleet.work.stuck.add(NAMES[0])
    async with fleet.controlled():
        await fleet.ask(concurrency=1)

        async def working() -> bool:
            return NAMES[0] in fleet.work.journal

        await eventually(working)
        await fleet.ask(concurrency=1, paused=True)
        await fleet.called("Paused")
        fleet.work.stuck.clear()

        async def done() -> bool:
            return states(await fleet.found()).get("Done") == {NAMES[0]}

        await eventually(done)
        assert fleet.work.journal == [NAMES[0]]
        await fleet.ask(concurrency=4)
        await fleet.called("Finished")


async def test_two_fleets_that_were_asked_for_in_the_same_moment_take_turns(fleet: Fleet) -> None:
    async with fleet.counted(), fleet.controlled():
        await asyncio.gather(
            fleet.ask(NAMES[:3], called="all"), fleet.ask(NAMES[2:6], called="beside")
        )
        await fleet.called("Finished", "beside")
        await fleet.called("Finished", "all")
        done = [await fleet.found(name) for name in ("all", "beside")]
        assert [states(one) for one in done] == [{"Done": {*NAMES[:3]}}, {"Done": {*NAMES[2:6]}}]

        fleet.work.stuck.add(NAMES[9])
        await fleet.ask(NAMES[8:], called="later")

        async def at_its_last() -> bool:
            return NAMES[9] in fleet.work.journal

        await eventually(at_its_last)
        done = [await fleet.found(name) for name in ("all", "beside")]
        assert [one.status.phase for one in done] == ["Finished", "Finished"]
    assert fleet.most == 1


async def test_a_cluster_that_there_is_not_is_a_failure(fleet: Fleet) -> None:
    async with fleet.controlled():
        await fleet.ask(["nowhere", NAMES[0]], haltAfter=2)
        done = await fleet.called("Finished")
    assert record(done, "nowhere").reason == "NotLegacy"
    assert states(done)["Done"] == {NAMES[0]}
