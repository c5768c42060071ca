"""Pure: what a migration does next."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from vks.migration.run.phase import Phase
from vks.resources.clustermigration import ClusterMigration, MigrationPhase, Target


class MakePlan(msgspec.Struct, frozen=True):
    """Look at everything, and say what would happen."""


class Begin(msgspec.Struct, frozen=True):
    """Write down that the phase begins, before anything else of it."""

    phase: Phase


class Advance(msgspec.Struct, frozen=True):
    """Take the steps of the phase that is under way."""

    phase: Phase


class Keep(msgspec.Struct, frozen=True):
    """Mend what the last finished phase made: nothing follows for now."""

    phase: Phase


class TakeBack(msgspec.Struct, frozen=True):
    """Take the phase's steps back, the last one first."""

    phase: Phase


class Rest(msgspec.Struct, frozen=True):
    """Nothing is to be done."""


Move = MakePlan | Begin | Advance | Keep | TakeBack | Rest


def decide(migration: ClusterMigration, phases: Sequence[Phase]) -> Move:
    """`phases` in their order."""
    spec, status = migration.spec, migration.status
    begun = {record.name: record for record in status.phases}
    last = next((phase for phase in reversed(phases) if phase.name in begun), None)
    if spec.paused:
        return Rest()
    excess = excess_of(migration, status.phases, phases)
    if excess is not None:
        return TakeBack(excess)
    if spec.rollback and last is None:
        return Rest()
    if last is None and (status.plan is None or status.plan.request != spec.plan_request):
        return MakePlan()
    if status.plan is None or (last is None and status.plan.refusals):
        return Rest()
    for phase in wanted(migration, phases):
        record = begun.get(phase.name)
        if record is None:
            return Begin(phase)
        if record.finished_at is None:
            return Advance(phase)
    return Keep(last) if last is not None and last.kept else Rest()


def wanted(migration: ClusterMigration, phases: Sequence[Phase]) -> Sequence[Phase]:
    """The phases up to the target; those that have begun count too: there is a way back from
    them, but no standing still in the middle."""
    spec = migration.spec
    asked = _up_to(spec.rollback_to if spec.rollback else spec.target, phases)
    return [phase for phase in phases if phase in asked or migration.has_begun(phase.name)]


def excess_of(
    migration: ClusterMigration, records: Sequence[MigrationPhase], phases: Sequence[Phase]
) -> Phase | None:
    """The last phase that has begun and is to be taken back."""
    if not migration.spec.rollback:
        return None
    begun, staying = {record.name for record in records}, _up_to(migration.spec.rollback_to, phases)
    last = [phase for phase in phases if phase.name in begun][-1:]
    return next((phase for phase in last if phase not in staying), None)


def _up_to(target: Target, phases: Sequence[Phase]) -> Sequence[Phase]:
    count = next((n for n, phase in enumerate(phases, 1) if phase.done == target), 0)
    return phases[:count]


def phase_name(
    migration: ClusterMigration, records: Sequence[MigrationPhase], phases: Sequence[Phase]
) -> str:
    """What the status calls it."""
    if excess_of(migration, records, phases) is not None:
        return "RollingBack"
    if not records and migration.spec.rollback:
        return "RolledBack"
    if not records:
        plan = migration.status.plan
        if plan is None:
            return "Planning"
        return "Refused" if plan.refusals else "Planned"
    last = next(phase for phase in phases if phase.name == records[-1].name)
    return last.doing if records[-1].finished_at is None else last.done
