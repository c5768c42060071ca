"""Pure: how far the clusters of a fleet are, which begin next, and what migrations are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, get_args

import msgspec

from vks.kube.times import parse_time, rfc3339
from vks.resources.clustermigration import ClusterMigration, Target
from vks.resources.migrationfleet import FleetCluster, MigrationFleet

_ORDER: tuple[str, ...] = get_args(Target)
#: The phase whose end is a target.
_PHASES = {
    "Prepared": "Prepare",
    "Adopted": "Adopt",
    "Converted": "Convert",
    "Finalized": "Finalize",
}

OVERDUE = "Overdue"


class Seen(NamedTuple):
    """What there is of a cluster. `legacy`: its provisioner has it, and does not delete it."""

    legacy: bool
    migration: ClusterMigration | None


def progress(fleet: MigrationFleet, seen: Mapping[str, Seen], now: datetime) -> list[FleetCluster]:
    """Every cluster's record as it is now, before another one begins."""
    known = {record.name: record for record in fleet.status.clusters}
    return [
        _progress(fleet, known.get(name, FleetCluster(name=name)), seen[name], now)
        for name in fleet.spec.clusters
    ]


def has_its_turn(fleet: MigrationFleet, project: Iterable[MigrationFleet]) -> bool:
    """Whether it may begin with clusters. The API refuses a second fleet, but not one that is asked
    for in the same moment: the oldest goes first, and waits for what others have begun."""
    others = [f for f in project if f.key != fleet.key and f.status.phase != "Finished"]
    return all(_rank(fleet) < _rank(other) and not has_begun(other) for other in others)


def _rank(fleet: MigrationFleet) -> tuple[str, str]:
    return fleet.metadata.creation_timestamp or "", fleet.metadata.name


def has_begun(fleet: MigrationFleet) -> bool:
    return any(record.state == "UnderWay" for record in fleet.status.clusters)


def begin(
    fleet: MigrationFleet, records: Sequence[FleetCluster], now: datetime
) -> list[FleetCluster]:
    """The records with those that begin now, as many as there is room for."""
    room = fleet.spec.concurrency - sum(r.state == "UnderWay" for r in records)
    if fleet.spec.paused or halted(fleet, records):
        room = 0
    waiting = [r.name for r in records if r.state == "Waiting"][: max(0, room)]
    return [
        msgspec.structs.replace(r, state="UnderWay", started_at=rfc3339(now))
        if r.name in waiting
        else r
        for r in records
    ]


def halted(fleet: MigrationFleet, records: Iterable[FleetCluster]) -> bool:
    return failures(records) >= fleet.spec.halt_after


def failures(records: Iterable[FleetCluster]) -> int:
    return sum(r.state == "Failed" or r.reason == OVERDUE for r in records)


def phase_of(fleet: MigrationFleet, records: Sequence[FleetCluster], *, turn: bool) -> str:
    """What the fleet's status calls it."""
    if all(r.state in ("Done", "Failed") for r in records):
        return "Finished"
    if not turn:
        return "Pending"
    if fleet.spec.paused:
        return "Paused"
    return "Halted" if halted(fleet, records) else "Running"


def wanted(
    fleet: MigrationFleet, record: FleetCluster, migration: ClusterMigration | None
) -> dict[str, Any] | None:
    """The spec that the migration of a cluster which has begun gets, or what is to be merged into
    it; None: it goes its way. A plan from before is made again, and a refused one has to be asked
    for again by somebody who has repaired what was wrong."""
    target, request = fleet.spec.target, fleet.metadata.uid
    fresh = {"planRequest": request, "target": target, "paused": False, "rollback": False}
    if migration is None:
        return {"clusterName": record.name, **fresh}
    spec, status = migration.spec, migration.status
    short = _ORDER.index(spec.target) < _ORDER.index(target)
    if status.phases:
        return {"target": target} if short and not spec.rollback else None
    if spec.plan_request != request and _is_old(migration, record):
        return fresh
    sound = status.plan and status.plan.request == spec.plan_request and not migration.refusals
    return {"target": target} if short and sound and not spec.rollback else None


def _is_old(migration: ClusterMigration, record: FleetCluster) -> bool:
    """Whether its plan is from before the cluster was begun with."""
    plan = migration.status.plan
    return plan is None or parse_time(plan.made) < parse_time(record.started_at or plan.made)


def _progress(
    fleet: MigrationFleet, record: FleetCluster, seen: Seen, now: datetime
) -> FleetCluster:
    migration = seen.migration
    begun = record.started_at is not None
    if migration is not None and _has_reached(migration, fleet.spec.target):
        ended = record.finished_at if record.state == "Done" else rfc3339(now)
        return _put(record, "Done", finished_at=ended)
    ends = migration is not None and migration.has_begun(_PHASES["Finalized"])
    if not seen.legacy and not ends:  # what is finalized leaves the legacy provisioner itself
        return _fail(record, "NotLegacy", "the legacy provisioner has no such cluster", now)
    if migration is None:
        return _put(record, "UnderWay" if begun else "Waiting")
    if migration.status.phases and not begun:  # by somebody else; it takes its place all the same
        return _put(msgspec.structs.replace(record, started_at=rfc3339(now)), "UnderWay")
    if not begun:
        return _put(record, "Waiting")
    if migration.status.phases and migration.spec.rollback:
        return _put(record, "UnderWay", OVERDUE, "it was asked to roll back")
    return _under_way(fleet, record, migration, now)


def _under_way(
    fleet: MigrationFleet, record: FleetCluster, migration: ClusterMigration, now: datetime
) -> FleetCluster:
    spec, status = migration.spec, migration.status
    ours = spec.plan_request == fleet.metadata.uid or not _is_old(migration, record)
    if not status.phases and ours:
        if spec.rollback:
            return _fail(record, "RolledBack", "it was rolled back", now)
        if migration.refusals:
            reasons = "; ".join(f"{f.check}: {f.message}" for f in migration.refusals)
            return _fail(record, "Refused", reasons, now)
    waits = waits_for(migration)
    if now - parse_time(record.started_at or "") >= timedelta(seconds=fleet.spec.timeout_seconds):
        return _put(record, "UnderWay", OVERDUE, waits)
    return _put(record, "UnderWay", "Paused" if spec.paused else "", waits)


def waits_for(migration: ClusterMigration) -> str:
    """What the last phase that has begun waits for, or the plan."""
    waiting = [c for c in migration.status.conditions if c.status == "False" and c.message]
    return f"{waiting[-1].reason}: {waiting[-1].message}" if waiting else ""


def _has_reached(migration: ClusterMigration, target: str) -> bool:
    done = {record.name for record in migration.status.phases if record.finished_at is not None}
    return _PHASES[target] in done and not migration.spec.rollback


def _put(
    record: FleetCluster,
    state: Any,
    reason: str = "",
    message: str = "",
    finished_at: str | None = None,
) -> FleetCluster:
    return msgspec.structs.replace(
        record, state=state, reason=reason, message=message, finished_at=finished_at
    )


def _fail(record: FleetCluster, reason: str, message: str, now: datetime) -> FleetCluster:
    ended = record.finished_at if record.state == "Failed" else rfc3339(now)
    return _put(record, "Failed", reason, message, ended)
