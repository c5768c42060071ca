"""The ClusterMigration controller: decides on a move, makes it, says how far it came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import structlog

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet
from vks.kube.objects import Key
from vks.kube.times import rfc3339
from vks.migration.phases import PHASES
from vks.migration.plan.phase import Planner
from vks.migration.run import runner, status
from vks.migration.run.decide import Advance, Begin, Keep, MakePlan, Rest, TakeBack, decide
from vks.migration.run.phase import Phase
from vks.migration.run.runner import Outcome
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.clusterapi import Machine
from vks.resources.clustermigration import ClusterMigration, MigrationPhase
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.runtime.clock import Clock
from vks.runtime.controller import Controller
from vks.runtime.informer import Change
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result, Waiting
from vks.runtime.store import Store
from vks.runtime.watches import Watch
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError
from vks.verda.failures import after, reason_of

#: Seconds between looks at a phase that is kept, beside news of the cluster and its nodes.
KEEP = 30.0

log = structlog.get_logger(__name__)


class Stores:
    """The caches: migrations, and what they move."""

    def __init__(
        self,
        migrations: Store[ClusterMigration],
        clusters: Store[LegacyCluster],
        nodes: Store[LegacyNode],
    ) -> None:
        self.migrations = migrations
        self.clusters = clusters
        self._nodes = nodes

    def nodes_of(self, cluster: Key) -> list[LegacyNode]:
        """Those that stay, by name."""
        found = self._nodes.by_index("cluster", str(cluster))
        return sorted((n for n in found if not n.deleting), key=lambda node: node.metadata.name)


class MigrationReconciler:
    def __init__(
        self,
        client: Client,
        stores: Stores,
        accounts: Accounts,
        clock: Clock,
        phases: Sequence[Phase] = PHASES,
    ) -> None:
        self._client = client
        self._stores = stores
        self._accounts = accounts
        self._clock = clock
        self._phases = phases
        self._planner = Planner(client, accounts, clock)
        self._applier = Applier(client, FIELD_MANAGER)

    async def reconcile(self, key: Key) -> Result:
        migration = self._stores.migrations.get(key)
        if migration is None or migration.deleting:
            return DONE
        conditions = ConditionSet(
            migration.status.conditions,
            status.owned_conditions(self._phases),
            now=self._clock.now(),
            generation=migration.metadata.generation,
        )
        conditions.set(status.PAUSED, migration.spec.paused, "AsAsked")
        status.tell_of_rollback(conditions, migration, self._phases)
        move = decide(migration, self._phases)
        match move:
            case MakePlan():
                body, result = await self._planner.plan(migration, conditions)
                return await self._publish(migration, body, result)
            case Begin(phase=phase):
                log.info("phase begins", migration=str(key), phase=phase.name)
                records = status.begin(migration.status.phases, phase, self._now())
                return await self._tell(migration, conditions, DONE, records)
            case Advance(phase=phase) | Keep(phase=phase):
                return await self._forward(migration, conditions, phase)
            case TakeBack(phase=phase):
                return await self._back(migration, conditions, phase)
            case Rest():
                return await self._tell(migration, conditions, DONE)

    async def _forward(
        self, migration: ClusterMigration, conditions: ConditionSet, phase: Phase
    ) -> Result:
        outcome, progress = await self._take(migration, phase, back=False)
        status.tell(conditions, phase, outcome)
        records = status.advance(migration.status.phases, phase, outcome, self._now())
        result = outcome.result if not outcome.finished else Result(KEEP)
        return await self._tell(migration, conditions, result, records, progress)

    async def _back(
        self, migration: ClusterMigration, conditions: ConditionSet, phase: Phase
    ) -> Result:
        """A phase that was finished is so no more: that is written down first."""
        records = migration.status.phases
        if any(r.name == phase.name and r.finished_at is not None for r in records):
            log.info("phase is taken back", migration=str(migration.key), phase=phase.name)
            status.tell_way_back(conditions, phase, Outcome("Begin", "RollingBack"))
            opened = status.begin(records, phase, self._now())
            return await self._tell(migration, conditions, DONE, opened)
        outcome, progress = await self._take(migration, phase, back=True)
        status.tell_way_back(conditions, phase, outcome)
        left = status.taken_back(records, phase, outcome)
        if outcome.finished:
            return await self._tell(migration, conditions, DONE, left, afresh=True)
        return await self._tell(migration, conditions, outcome.result, left, progress)

    async def _take(
        self, migration: ClusterMigration, phase: Phase, *, back: bool
    ) -> tuple[Outcome, dict[str, str]]:
        if phase.ends and not back and self._cluster(migration) is None:
            return Outcome(), {}
        try:
            scope = await self._scope(migration, phase)
        except (Waiting, CloudError) as failure:
            return Outcome("Look", *reason_of(failure), after([failure])), {}
        async with scope:
            outcome = await (runner.back if back else runner.forward)(phase, scope)
            return outcome, scope.progress

    async def _scope(self, migration: ClusterMigration, phase: Phase) -> Scope:
        """Raises Waiting without a cluster, CloudError. What a deletion has removed must not be
        made again."""
        cluster = self._cluster(migration)
        if cluster is None:
            raise Waiting("NotLegacy", "the legacy provisioner has no such cluster")
        if cluster.deleting and not phase.ends:
            raise Waiting("ClusterDeleting", "the cluster is being deleted")
        account = await self._accounts.of(cluster)
        nodes = self._stores.nodes_of(cluster.key)
        return Scope(self._client, migration, cluster, nodes, account, self._clock)

    def _cluster(self, migration: ClusterMigration) -> LegacyCluster | None:
        key = Key(migration.metadata.namespace, migration.spec.cluster_name)
        return self._stores.clusters.get(key)

    async def _tell(
        self,
        migration: ClusterMigration,
        conditions: ConditionSet,
        result: Result,
        records: Sequence[MigrationPhase] | None = None,
        progress: dict[str, str] | None = None,
        *,
        afresh: bool = False,
    ) -> Result:
        body = status.status_body(
            migration,
            conditions,
            self._phases,
            records=records,
            progress=progress,
            afresh=afresh,
        )
        return await self._publish(migration, body, result)

    async def _publish(
        self, migration: ClusterMigration, body: dict[str, Any], result: Result
    ) -> Result:
        meta = {"name": migration.metadata.name, "namespace": migration.metadata.namespace}
        document = {"metadata": meta, "status": body}
        await self._applier.apply(
            ClusterMigration, document, observed=migration, subresource="status"
        )
        return result

    def _now(self) -> str:
        return rfc3339(self._clock.now())


def setup(
    manager: Manager, phases: Sequence[Phase] = PHASES, namespace: str | None = None
) -> Controller:
    """Add everything that migrates to the manager; in one namespace only, if one is given."""
    accounts = Accounts(manager.client, lambda key: None, manager.clock)
    stores = Stores(
        manager.informer(ClusterMigration, namespace=namespace).store,
        manager.informer(LegacyCluster, namespace=namespace).store,
        manager.informer(
            LegacyNode, namespace=namespace, indexers={"cluster": _cluster_index}
        ).store,
    )
    reconciler = MigrationReconciler(manager.client, stores, accounts, manager.clock, phases)
    controller = Controller(
        "clustermigration",
        reconciler.reconcile,
        workers=4,
        watches=[
            Watch(ClusterMigration, namespace=namespace),
            Watch(LegacyCluster, namespace=namespace),  # the migration is named like its cluster
            Watch(LegacyNode, _migration_of, namespace=namespace),
            Watch(Machine, _migration_of_machine, predicate=_leaves, namespace=namespace),
        ],
    )
    manager.add(accounts)
    manager.add(controller)
    return controller


def _cluster_index(node: LegacyNode) -> list[str]:
    return [str(key) for key in _migration_of(node)]


def _migration_of_machine(machine: Machine) -> Iterable[Key]:
    return [Key(machine.metadata.namespace, machine.spec.cluster_name)]


def _leaves(change: Change[Machine]) -> bool:
    """Its deletion may be held by us."""
    return change.new is not None and change.new.deleting


def _migration_of(node: LegacyNode) -> Iterable[Key]:
    return [Key(node.metadata.namespace, node.spec.cluster_name)]
