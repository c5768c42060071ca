"""What a migration does next, from its object alone."""

from __future__ import annotations

from typing import Any

from vks.kube.objects import ObjectMeta
from vks.migration.run.decide import (
    Advance,
    Begin,
    Keep,
    MakePlan,
    Rest,
    TakeBack,
    decide,
    phase_name,
)
from vks.migration.run.phase import Phase
from vks.resources.clustermigration import (
    ClusterMigration,
    ClusterMigrationSpec,
    ClusterMigrationStatus,
    MigrationFinding,
    MigrationPhase,
    MigrationPlan,
)

FIRST = Phase("Prepare", "Preparing", "Prepared", (), kept=True)
SECOND = Phase("Adopt", "Adopting", "Adopted", ())
PHASES = (FIRST, SECOND)
PLAN = MigrationPlan(request="one", made="2026-01-01T00:00:00Z")


def migration(*records: MigrationPhase, plan: MigrationPlan | None = PLAN, **spec: Any):  # type: ignore[no-untyped-def]
    return ClusterMigration(
        metadata=ObjectMeta(name="old"),
        spec=ClusterMigrationSpec(cluster_name="old", plan_request="one", **spec),
        status=ClusterMigrationStatus(plan=plan, phases=records),
    )


def record(phase: Phase, *, finished: bool = False) -> MigrationPhase:
    end = "2026-01-01T01:00:00Z" if finished else None
    return MigrationPhase(name=phase.name, started_at="2026-01-01T00:00:00Z", finished_at=end)


def test_first_comes_the_plan_that_was_asked_for() -> None:
    assert decide(migration(plan=None), PHASES) == MakePlan()
    old = MigrationPlan(request="zero", made="2026-01-01T00:00:00Z")
    assert decide(migration(plan=old, target="Converted"), PHASES) == MakePlan()


def test_nothing_begins_before_it_is_asked_for_or_against_the_plan() -> None:
    assert decide(migration(), PHASES) == Rest()
    finding = MigrationFinding(check="EtcdMembers", message="two", fix="add one")
    refused = MigrationPlan(request="one", made="2026-01-01T00:00:00Z", refusals=(finding,))
    assert decide(migration(plan=refused, target="Adopted"), PHASES) == Rest()


def test_phases_follow_each_other_up_to_the_target() -> None:
    assert decide(migration(target="Adopted"), PHASES) == Begin(FIRST)
    assert decide(migration(record(FIRST), target="Adopted"), PHASES) == Advance(FIRST)
    done = record(FIRST, finished=True)
    assert decide(migration(done, target="Adopted"), PHASES) == Begin(SECOND)
    assert decide(migration(done, target="Prepared"), PHASES) == Keep(FIRST)
    both = (done, record(SECOND, finished=True))
    assert decide(migration(*both, target="Adopted"), PHASES) == Rest()


def test_what_has_begun_is_brought_to_its_end_whatever_the_target() -> None:
    assert decide(migration(record(FIRST), target="Planned"), PHASES) == Advance(FIRST)


def test_no_new_plan_is_made_under_way() -> None:
    """It would refuse what the migration itself has made."""
    old = MigrationPlan(request="zero", made="2026-01-01T00:00:00Z")
    assert decide(migration(record(FIRST), plan=old, target="Prepared"), PHASES) == Advance(FIRST)


def test_rollback_takes_back_the_last_phase_first_and_then_rests() -> None:
    done = record(FIRST, finished=True)
    assert decide(migration(done, record(SECOND), rollback=True), PHASES) == TakeBack(SECOND)
    assert decide(migration(done, rollback=True), PHASES) == TakeBack(FIRST)
    assert decide(migration(rollback=True), PHASES) == Rest()


def test_rollback_keeps_what_comes_before_where_it_ends() -> None:
    done = record(FIRST, finished=True)
    back: dict[str, Any] = {"rollback": True, "rollback_to": "Prepared", "target": "Adopted"}
    assert decide(migration(done, record(SECOND), **back), PHASES) == TakeBack(SECOND)
    assert decide(migration(done, **back), PHASES) == Keep(FIRST)
    assert decide(migration(**back), PHASES) == Rest()


def test_a_paused_migration_does_nothing_in_either_direction() -> None:
    for rollback in (False, True):
        moved = migration(record(FIRST), target="Adopted", paused=True, rollback=rollback)
        assert decide(moved, PHASES) == Rest()


def test_its_phase_is_called_by_what_happened_last() -> None:
    def name(*records: MigrationPhase, **more: Any) -> str:
        found: ClusterMigration = migration(*records, **more)
        return phase_name(found, found.status.phases, PHASES)

    done = record(FIRST, finished=True)
    assert name(plan=None) == "Planning"
    assert name() == "Planned"
    assert name(record(FIRST)) == "Preparing"
    assert name(done) == "Prepared"
    assert name(done, record(SECOND)) == "Adopting"
    assert name(done, rollback=True) == "RollingBack"
    assert name(rollback=True) == "RolledBack"
    assert name(done, record(SECOND), rollback=True, rollback_to="Prepared") == "RollingBack"
    assert name(done, rollback=True, rollback_to="Prepared") == "Prepared"
