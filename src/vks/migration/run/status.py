"""Pure: the status of a ClusterMigration after a move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from vks.kube.conditions import ConditionSet, conditions_body
from vks.migration.run.decide import excess_of, phase_name
from vks.migration.run.phase import Phase
from vks.migration.run.runner import Outcome
from vks.resources.clustermigration import ClusterMigration, MigrationPhase, MigrationProgress

PLANNED, PAUSED, ROLLED_BACK = "Planned", "Paused", "RolledBack"


def begin(records: Sequence[MigrationPhase], phase: Phase, now: str) -> list[MigrationPhase]:
    """With a new record, or with the old one open again."""
    old = next((r for r in records if r.name == phase.name), None)
    started = old.started_at if old is not None else now
    return [*_others(records, phase), MigrationPhase(name=phase.name, started_at=started)]


def advance(
    records: Sequence[MigrationPhase], phase: Phase, outcome: Outcome, now: str
) -> list[MigrationPhase]:
    """Where the phase is now. What is finished stays so while it is kept."""
    old = next(record for record in records if record.name == phase.name)
    finished = old.finished_at or (now if outcome.finished else None)
    new = msgspec.structs.replace(old, finished_at=finished, step=outcome.step)
    return [new if record.name == phase.name else record for record in records]


def taken_back(
    records: Sequence[MigrationPhase], phase: Phase, outcome: Outcome
) -> list[MigrationPhase]:
    """Without the phase's record, once nothing is left of it."""
    if outcome.finished:
        return _others(records, phase)
    return [
        msgspec.structs.replace(record, step=outcome.step) if record.name == phase.name else record
        for record in records
    ]


def _others(records: Sequence[MigrationPhase], phase: Phase) -> list[MigrationPhase]:
    return [record for record in records if record.name != phase.name]


def owned_conditions(phases: Iterable[Phase]) -> tuple[str, ...]:
    return (PLANNED, *(phase.done for phase in phases), PAUSED, ROLLED_BACK)


def tell(conditions: ConditionSet, phase: Phase, outcome: Outcome) -> None:
    """The condition of a phase on its way forward."""
    if outcome.finished:
        conditions.set(phase.done, True, phase.done)
    else:
        message = f"{outcome.step}: {outcome.message}"
        conditions.set(phase.done, False, outcome.reason, message)


def tell_of_rollback(
    conditions: ConditionSet, migration: ClusterMigration, phases: Sequence[Phase]
) -> None:
    """Before the move; one that is under way tells about itself."""
    if migration.spec.rollback:
        if excess_of(migration, migration.status.phases, phases) is None:
            conditions.set(ROLLED_BACK, True, ROLLED_BACK)
    elif conditions.get(ROLLED_BACK) is not None:
        conditions.set(ROLLED_BACK, False, "NotAsked")


def tell_way_back(conditions: ConditionSet, phase: Phase, outcome: Outcome) -> None:
    conditions.set(phase.done, False, "RolledBack" if outcome.finished else "RollingBack")
    if not outcome.finished:
        message = f"{phase.name}, {outcome.step}: {outcome.message}"
        conditions.set(ROLLED_BACK, False, outcome.reason, message)


def status_body(
    migration: ClusterMigration,
    conditions: ConditionSet,
    phases: Sequence[Phase],
    *,
    records: Sequence[MigrationPhase] | None = None,
    progress: Mapping[str, str] | None = None,
    afresh: bool = False,
) -> dict[str, Any]:
    """All of the status but a new plan. `records` and `progress` as before when not given;
    `afresh`: what was done to nodes before is past."""
    old = migration.status
    kept = old.phases if records is None else records
    past = () if afresh else old.nodes
    steps = {node.name: node.step for node in past} | dict(progress or {})
    body: dict[str, Any] = {
        "phase": phase_name(migration, kept, phases),
        "phases": [_without_none(record) for record in kept],
        "nodes": [
            _without_none(MigrationProgress(name=n, step=s)) for n, s in sorted(steps.items())
        ],
        "conditions": conditions_body(conditions.all()),
    }
    if old.plan is not None:
        body["plan"] = msgspec.to_builtins(old.plan)
    return body


def _without_none(struct: msgspec.Struct) -> dict[str, Any]:
    fields = msgspec.to_builtins(struct)
    return {name: value for name, value in fields.items() if value is not None}
