"""The MigrationFleet controller: lets the next clusters begin, and their migrations do the work.

That a cluster begins is written down before its migration is touched, and only in the very version
of the fleet that was looked at: whatever is killed, and however old a cache is, no more than
`concurrency` are under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from vks.kube.client import Client
from vks.kube.errors import AlreadyExists, Conflict, NotFound
from vks.kube.objects import Key, KubeObject, owner_reference
from vks.migration.fleet.decide import (
    Seen,
    begin,
    failures,
    has_begun,
    has_its_turn,
    phase_of,
    progress,
    wanted,
)
from vks.migration.run.scope import FIELD_MANAGER
from vks.resources.clustermigration import ClusterMigration
from vks.resources.legacycluster import LegacyCluster
from vks.resources.managedcluster import CLUSTER_LABEL, ManagedCluster
from vks.resources.migrationfleet import FleetCluster, MigrationFleet
from vks.runtime.clock import Clock
from vks.runtime.controller import Controller
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.runtime.store import Store
from vks.runtime.watches import Watch

#: Seconds between looks whether one is overdue.
LOOK = 10.0
#: Seconds after which a look at something that has changed meanwhile is repeated.
AGAIN = 0.2

log = structlog.get_logger(__name__)


class FleetReconciler:
    def __init__(
        self,
        client: Client,
        fleets: Store[MigrationFleet],
        migrations: Store[ClusterMigration],
        clusters: Store[LegacyCluster],
        clock: Clock,
    ) -> None:
        self._client = client
        self._fleets = fleets
        self._migrations = migrations
        self._clusters = clusters
        self._clock = clock

    async def reconcile(self, key: Key) -> Result:
        fleet = self._fleets.get(key)
        if fleet is None or fleet.deleting:
            return DONE
        turn = has_its_turn(fleet, self._fleets.list(key.namespace))
        if not turn and not has_begun(fleet) and fleet.status.phase != "Finished":
            return await self._wait(fleet)
        now = self._clock.now()
        seen = {name: self._look(Key(key.namespace, name)) for name in fleet.spec.clusters}
        records = progress(fleet, seen, now)
        try:
            for record in records:
                if record.state == "UnderWay" and _is_recorded(fleet, record):
                    await self._steer(fleet, record, seen[record.name].migration)
            after = begin(fleet, records, now) if turn else records
            await self._publish(fleet, after, phase_of(fleet, after, turn=turn))
        except Conflict:
            return Result(AGAIN)
        return Result(LOOK) if any(r.state == "UnderWay" for r in records) else DONE

    async def _wait(self, fleet: MigrationFleet) -> Result:
        """Whatever becomes of its clusters meanwhile is not its doing."""
        records = [FleetCluster(name=name) for name in fleet.spec.clusters]
        with suppress(Conflict):  # what changed it brings us here again
            await self._publish(fleet, fleet.status.clusters or records, "Pending")
        return DONE

    def _look(self, cluster: Key) -> Seen:
        found = self._clusters.get(cluster)
        legacy = found is not None and not found.deleting
        return Seen(legacy, self._migrations.get(cluster))

    async def _steer(
        self, fleet: MigrationFleet, record: FleetCluster, migration: ClusterMigration | None
    ) -> None:
        """Raises Conflict, ApiError."""
        spec = wanted(fleet, record, migration)
        if spec is None:
            return
        name, namespace = record.name, fleet.metadata.namespace
        log.info("fleet moves a cluster", fleet=str(fleet.key), cluster=name, spec=spec)
        if migration is not None:
            version = migration.metadata.resource_version
            patch = {"metadata": {"resourceVersion": version}, "spec": spec}
            await self._client.merge_patch(
                ClusterMigration, name, namespace, patch, field_manager=FIELD_MANAGER
            )
            return
        with suppress(AlreadyExists, NotFound):  # the cache is behind; the cluster goes
            owner = await self._client.get(ManagedCluster, name, namespace)
            body = _migration(owner, spec)
            await self._client.create(ClusterMigration, body, field_manager=FIELD_MANAGER)

    async def _publish(
        self, fleet: MigrationFleet, records: Sequence[FleetCluster], phase: str
    ) -> None:
        """Raises Conflict when the fleet is another one by now."""
        if (phase, tuple(records)) == (fleet.status.phase, fleet.status.clusters):
            return
        status = {
            "phase": phase,
            "done": sum(r.state == "Done" for r in records),
            "underWay": sum(r.state == "UnderWay" for r in records),
            "failed": failures(records),
            "clusters": [_body(record) for record in records],
        }
        meta = fleet.metadata
        patch = {"metadata": {"resourceVersion": meta.resource_version}, "status": status}
        await self._client.merge_patch(
            MigrationFleet,
            meta.name,
            meta.namespace,
            patch,
            subresource="status",
            field_manager=FIELD_MANAGER,
        )


def _is_recorded(fleet: MigrationFleet, record: FleetCluster) -> bool:
    return any(
        known.name == record.name and known.started_at is not None
        for known in fleet.status.clusters
    )


def _body(record: FleetCluster) -> dict[str, Any]:
    fields = {
        "name": record.name,
        "state": record.state,
        "reason": record.reason,
        "message": record.message,
        "startedAt": record.started_at,
        "finishedAt": record.finished_at,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _migration(owner: ManagedCluster, spec: dict[str, Any]) -> dict[str, Any]:
    meta = owner.metadata
    return {
        "metadata": {
            "name": meta.name,
            "namespace": meta.namespace,
            "labels": {CLUSTER_LABEL: meta.name},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": spec,
    }


def setup(manager: Manager, namespace: str | None = None) -> Controller:
    """Add the fleets' controller to a manager that migrates clusters."""
    fleets = manager.informer(MigrationFleet, namespace=namespace).store
    reconciler = FleetReconciler(
        manager.client,
        fleets,
        manager.informer(ClusterMigration, namespace=namespace).store,
        manager.informer(LegacyCluster, namespace=namespace).store,
        manager.clock,
    )

    def beside(obj: KubeObject) -> Iterable[Key]:
        return [fleet.key for fleet in fleets.list(obj.metadata.namespace)]

    def with_cluster(obj: KubeObject) -> Iterable[Key]:
        return [
            fleet.key
            for fleet in fleets.list(obj.metadata.namespace)
            if obj.metadata.name in fleet.spec.clusters
        ]

    controller = Controller(
        "migrationfleet",
        reconciler.reconcile,
        workers=1,
        watches=[
            Watch(MigrationFleet, beside, namespace=namespace),
            Watch(ClusterMigration, with_cluster, namespace=namespace),
            Watch(LegacyCluster, with_cluster, namespace=namespace),
        ],
    )
    manager.add(controller)
    return controller
