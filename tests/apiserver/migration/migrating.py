"""A migration controller that can be killed, and migrations to move."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.provider.region import eventually

from vks.migration.controller import setup
from vks.migration.run.phase import Phase
from vks.resources.clustermigration import ClusterMigration
from vks.runtime.manager import Manager


@contextlib.asynccontextmanager
async def running(legacy: Legacy, phases: Sequence[Phase]) -> AsyncIterator[None]:
    """Its end is as good as a kill: whatever was under way is lost."""
    manager = Manager(legacy.client, name="vks-migration", grace_period=2.0)
    setup(manager, phases, legacy.namespace)
    task = asyncio.create_task(manager.run(asyncio.Event()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(legacy: Legacy, **spec: Any) -> None:
    body = {
        "metadata": {"name": NAME, "namespace": legacy.namespace},
        "spec": {"clusterName": NAME, "planRequest": "one", **spec},
    }
    await legacy.client.apply(ClusterMigration, body, field_manager="operator")


async def planned(legacy: Legacy) -> None:
    """A migration whose plan is made."""
    await ask(legacy)
    plan = {"request": "one", "made": "2026-01-01T00:00:00Z"}
    await legacy.client.merge_patch(
        ClusterMigration, NAME, legacy.namespace, {"status": {"plan": plan}}, subresource="status"
    )


async def found(legacy: Legacy) -> ClusterMigration:
    return await legacy.client.get(ClusterMigration, NAME, legacy.namespace)


async def reached(
    legacy: Legacy, holds: Callable[[ClusterMigration], bool], patience: float = 20.0
) -> ClusterMigration:
    async def look() -> bool:
        return holds(await found(legacy))

    try:
        await eventually(look, patience)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{(await found(legacy)).status}") from error
    return await found(legacy)


async def phase(legacy: Legacy, name: str, patience: float = 20.0) -> ClusterMigration:
    """The migration once it is called that."""
    return await reached(legacy, lambda migration: migration.status.phase == name, patience)
