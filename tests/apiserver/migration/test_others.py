"""A migration and what others do to its cluster at the same time."""

from __future__ import annotations

import asyncio

import pytest
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.migration.migrating import ask, found, phase, planned, reached, running
from tests.apiserver.migration.test_run import Mark

from vks.kube.objects import find_condition
from vks.migration.prepare.quiet import Quiet
from vks.migration.run.phase import Phase
from vks.resources.clustermigration import ClusterMigration
from vks.resources.core import ConfigMap
from vks.resources.legacycluster import LegacyCluster
from vks.resources.operation import Operation, OperationType

pytestmark = pytest.mark.timeout(120)


def prepare(journal: list[str]) -> tuple[Phase, ...]:
    return (Phase("Prepare", "Preparing", "Prepared", (Quiet(), Mark("A", journal)), kept=True),)


def waits_for(migration: ClusterMigration) -> str:
    prepared = find_condition(migration.status.conditions, "Prepared")
    return prepared.reason if prepared is not None else ""


async def operation(legacy: Legacy, type_: OperationType) -> str:
    name = f"op-{type_.lower()}"
    body = {
        "metadata": {
            "name": name,
            "namespace": legacy.namespace,
            "labels": {"vks.verda/cluster": NAME},
        },
        "spec": {
            "type": type_,
            "clusterName": NAME,
            "target": {"kind": "ManagedCluster", "name": NAME},
        },
    }
    await legacy.client.create(Operation, body)
    return name


async def test_it_waits_for_an_operation_that_was_admitted_just_before(legacy: Legacy) -> None:
    journal: list[str] = []
    await legacy.apply(replicas=3)
    await planned(legacy)
    await operation(legacy, "DrainNode")  # moves pods alone
    upgrade = await operation(legacy, "UpgradeCluster")
    async with running(legacy, prepare(journal)):
        await ask(legacy, target="Prepared")
        waiting = await reached(legacy, lambda m: waits_for(m) == "OperationUnderWay")
        prepared = find_condition(waiting.status.conditions, "Prepared")
        assert prepared is not None
        assert prepared.message == f"Quiet: UpgradeCluster {upgrade}"
        assert journal == []
        await legacy.client.merge_patch(
            Operation,
            upgrade,
            legacy.namespace,
            {"status": {"phase": "Succeeded", "finished": "2026-01-01T00:00:00Z"}},
            subresource="status",
        )
        await phase(legacy, "Prepared")
    assert journal == ["do A"]


async def test_it_makes_nothing_again_of_a_cluster_that_is_being_deleted(legacy: Legacy) -> None:
    journal: list[str] = []
    await legacy.apply(replicas=3)
    await planned(legacy)
    async with running(legacy, prepare(journal)):
        await ask(legacy, target="Prepared")
        await phase(legacy, "Prepared")
        held = {"metadata": {"finalizers": ["test/held"]}}
        await legacy.client.merge_patch(LegacyCluster, NAME, legacy.namespace, held)
        await legacy.client.delete(LegacyCluster, NAME, legacy.namespace)
        await reached(legacy, lambda m: waits_for(m) == "ClusterDeleting")
        await legacy.client.delete(ConfigMap, "a", legacy.namespace)
        patch = {"metadata": {"labels": {"any": "news"}}}
        await legacy.client.merge_patch(LegacyCluster, NAME, legacy.namespace, patch)
        await asyncio.sleep(1.0)
        assert journal == ["do A"]
        assert (await found(legacy)).status.phase == "Prepared"
