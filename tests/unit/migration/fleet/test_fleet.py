"""Which clusters of a fleet begin, which count as failed, and what their migrations are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from vks.kube.objects import ObjectMeta
from vks.kube.times import rfc3339
from vks.migration.fleet.decide import (
    OVERDUE,
    Seen,
    begin,
    has_its_turn,
    phase_of,
    progress,
    wanted,
)
from vks.resources.clustermigration import (
    ClusterMigration,
    ClusterMigrationSpec,
    ClusterMigrationStatus,
    MigrationFinding,
    MigrationPhase,
    MigrationPlan,
)
from vks.resources.migrationfleet import (
    FleetCluster,
    MigrationFleet,
    MigrationFleetSpec,
    MigrationFleetStatus,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE, AFTER = rfc3339(NOW - timedelta(hours=1)), rfc3339(NOW - timedelta(seconds=5))
STARTED = rfc3339(NOW - timedelta(seconds=30))
REFUSAL = MigrationFinding(check="EtcdMembers", message="two", fix="add one")


def fleet(*records: FleetCluster, names: str = "abcdef", **spec: Any) -> MigrationFleet:
    return MigrationFleet(
        metadata=ObjectMeta(name="all", namespace="p", uid="uid"),
        spec=MigrationFleetSpec(clusters=tuple(names), **{"concurrency": 2, **spec}),
        status=MigrationFleetStatus(clusters=records),
    )


def migration(
    *, phases: str = "", finished: bool = False, made: str | None = AFTER, refused: bool = False,
    request: str = "uid", planned: str | None = None, **spec: Any,
) -> ClusterMigration:  # fmt: skip
    """`phases` that have begun; `planned` is the request that the plan is for."""
    plan = made and MigrationPlan(
        request=planned or request, made=made, refusals=(REFUSAL,) if refused else ()
    )
    records = [MigrationPhase(name=n, started_at=AFTER, finished_at=AFTER) for n in phases.split()]
    if records and not finished:
        records[-1] = msgspec.structs.replace(records[-1], finished_at=None)
    return ClusterMigration(
        metadata=ObjectMeta(name="a"),
        spec=ClusterMigrationSpec(
            cluster_name="a", plan_request=request, **{"target": "Converted", **spec}
        ),
        status=ClusterMigrationStatus(plan=plan or None, phases=tuple(records)),
    )


def waiting(*names: str) -> list[FleetCluster]:
    return [FleetCluster(name=name) for name in names]


def under_way(name: str, **more: Any) -> FleetCluster:
    return FleetCluster(name=name, state="UnderWay", started_at=STARTED, **more)


def state(record: FleetCluster, seen: Seen, **spec: Any) -> tuple[str, str]:
    (found,) = progress(fleet(record, names=record.name, **spec), {record.name: seen}, NOW)
    return found.state, found.reason


def begun(records: list[FleetCluster], **spec: Any) -> list[str]:
    of = fleet(names="".join(r.name for r in records), **spec)
    after = begin(of, records, NOW)
    return [r.name for r, old in zip(after, records, strict=True) if r != old]


def test_as_many_begin_as_there_is_room_for_in_the_order_of_the_list() -> None:
    assert begun(waiting(*"abc")) == ["a", "b"]
    assert begun([under_way("a"), *waiting(*"bc")]) == ["b"]
    assert begun([under_way("a"), under_way("b"), *waiting("c")]) == []
    assert begun([FleetCluster(name="a", state="Done"), *waiting(*"bcd")]) == ["b", "c"]


def test_nothing_begins_when_it_is_paused_or_enough_have_failed() -> None:
    assert begun(waiting("a"), paused=True) == []
    failed = [FleetCluster(name=name, state="Failed") for name in "ab"]
    assert begun([*failed, *waiting("c")], halt_after=2) == []
    assert begun([*failed, *waiting("c")], halt_after=3) == ["c"]
    assert begun([under_way("a", reason=OVERDUE), *waiting("b")], halt_after=1) == []


def test_one_that_is_overdue_keeps_its_place() -> None:
    late = [under_way("a", reason=OVERDUE), *waiting(*"bc")]
    assert begun(late, halt_after=2) == ["b"]


def test_of_two_fleets_the_older_begins_and_waits_for_what_the_other_has_begun() -> None:
    def made(name: str, second: int, *records: FleetCluster, phase: Any = "Pending") -> Any:
        found = fleet(*records, names=name)
        meta = ObjectMeta(
            name=name, namespace="p", creation_timestamp=f"2026-01-01T00:00:0{second}Z"
        )
        status = msgspec.structs.replace(found.status, phase=phase)
        return msgspec.structs.replace(found, metadata=meta, status=status)

    old, twin, young = made("a", 1), made("b", 1), made("c", 2)
    turns = [f.metadata.name for f in (old, twin, young) if has_its_turn(f, [young, twin, old])]
    assert turns == ["a"]
    assert not has_its_turn(old, [old, made("c", 2, under_way("c"))])
    assert has_its_turn(young, [young, made("a", 1, phase="Finished")])
    assert phase_of(young, waiting("c"), turn=False) == "Pending"


NEW = FleetCluster(name="a")
OURS = under_way("a")
FINISHED = migration(phases="Prepare Adopt Convert Finalize", finished=True)
FINALIZING = migration(phases="Prepare Adopt Convert Finalize", target="Finalized")


@pytest.mark.parametrize(
    ("record", "seen", "expected"),
    [
        (NEW, Seen(True, None), ("Waiting", "")),
        (OURS, Seen(True, None), ("UnderWay", "")),
        (NEW, Seen(False, None), ("Failed", "NotLegacy")),
        (NEW, Seen(True, migration(made=BEFORE)), ("Waiting", "")),
        (NEW, Seen(True, migration(phases="Prepare")), ("UnderWay", "")),
        (OURS, Seen(True, migration(phases="Prepare Adopt")), ("UnderWay", "")),
        (OURS, Seen(True, migration(phases="Prepare", paused=True)), ("UnderWay", "Paused")),
        (OURS, Seen(True, migration(refused=True)), ("Failed", "Refused")),
        (OURS, Seen(True, migration(refused=True, request="x", planned="uid")), ("UnderWay", "")),
        (OURS, Seen(True, migration(refused=True, request="x", made=BEFORE)), ("UnderWay", "")),
        (OURS, Seen(True, migration(rollback=True)), ("Failed", "RolledBack")),
        (OURS, Seen(True, migration(phases="Prepare", rollback=True)), ("UnderWay", OVERDUE)),
        (OURS, Seen(True, migration(phases="Prepare Adopt Convert", finished=True)), ("Done", "")),
        (NEW, Seen(False, FINISHED), ("Done", "")),
    ],
)
def test_how_far_a_cluster_is(record: FleetCluster, seen: Seen, expected: tuple[str, str]) -> None:
    assert state(record, seen) == expected


def test_one_that_is_being_finalized_has_not_failed_when_the_legacy_provisioner_lets_it_go() -> (
    None
):
    assert state(OURS, Seen(False, FINALIZING), target="Finalized") == ("UnderWay", "")
    assert state(OURS, Seen(False, FINISHED), target="Finalized") == ("Done", "")
    deleted = Seen(False, migration(phases="Prepare", target="Finalized"))
    assert state(OURS, deleted, target="Finalized") == ("Failed", "NotLegacy")


def test_one_that_takes_too_long_has_failed_until_it_gets_there() -> None:
    slow = Seen(True, migration(phases="Prepare"))
    assert state(OURS, slow, timeout_seconds=60) == ("UnderWay", "")
    old = msgspec.structs.replace(OURS, started_at=BEFORE)
    assert state(old, slow, timeout_seconds=60) == ("UnderWay", OVERDUE)
    there = Seen(True, migration(phases="Prepare Adopt Convert", finished=True))
    assert state(old, there, timeout_seconds=60) == ("Done", "")


def test_a_cluster_that_was_planned_long_ago_is_planned_anew() -> None:
    fresh = {"planRequest": "uid", "target": "Converted", "paused": False, "rollback": False}
    old = migration(request="x", made=BEFORE, target="Planned", rollback=True)
    assert wanted(fleet(), OURS, None) == {"clusterName": "a", **fresh}
    assert wanted(fleet(), OURS, old) == fresh
    assert wanted(fleet(), OURS, migration(made=None)) is None, "it is being planned"


def test_what_somebody_has_planned_again_after_a_repair_goes_on() -> None:
    again = migration(request="x", target="Planned")
    assert wanted(fleet(), OURS, again) == {"target": "Converted"}
    assert wanted(fleet(), OURS, migration(request="x", target="Planned", refused=True)) is None


def test_what_has_begun_goes_further_but_never_less_far() -> None:
    further = migration(phases="Prepare", target="Prepared")
    assert wanted(fleet(), OURS, further) == {"target": "Converted"}
    assert wanted(fleet(), OURS, migration(phases="Prepare", target="Finalized")) is None
    back = migration(phases="Prepare", rollback=True, target="Adopted")
    assert wanted(fleet(), OURS, back) is None


def test_what_the_fleet_is_called() -> None:
    done, failed = FleetCluster(name="a", state="Done"), FleetCluster(name="b", state="Failed")
    assert phase_of(fleet(halt_after=1), [done, failed], turn=True) == "Finished"
    assert phase_of(fleet(halt_after=1), [failed, *waiting("c")], turn=True) == "Halted"
    assert phase_of(fleet(halt_after=2), [failed, *waiting("c")], turn=True) == "Running"
    assert phase_of(fleet(paused=True), waiting("c"), turn=True) == "Paused"
