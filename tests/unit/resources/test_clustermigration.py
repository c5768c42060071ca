"""When a migration counts as under way."""

from __future__ import annotations

from typing import Any

from vks.kube.objects import ObjectMeta
from vks.resources.clustermigration import (
    ClusterMigration,
    ClusterMigrationSpec,
    ClusterMigrationStatus,
    MigrationFinding,
    MigrationPhase,
    MigrationPlan,
)

BEGAN = "2026-01-01T00:00:00Z"
REFUSAL = MigrationFinding(check="NodesReady", message="not ready: old-cp-1")
BEGUN = (MigrationPhase(name="Prepare", started_at=BEGAN),)


def migration(*, refused: str = "", status: Any = None, **spec: Any) -> ClusterMigration:
    """`refused` is the request that was."""
    plan = MigrationPlan(request=refused, made=BEGAN, refusals=(REFUSAL,)) if refused else None
    return ClusterMigration(
        metadata=ObjectMeta(name="old"),
        spec=ClusterMigrationSpec(cluster_name="old", plan_request="one", **spec),
        status=status or ClusterMigrationStatus(plan=plan),
    )


def test_it_is_under_way_from_its_start_on() -> None:
    assert not migration().under_way
    assert migration(target="Converted").under_way
    assert not migration(target="Converted", rollback=True).under_way
    assert migration(status=ClusterMigrationStatus(phases=BEGUN), rollback=True).under_way
    ended = ClusterMigrationStatus(phases=BEGUN, phase="Finalized")
    assert not migration(status=ended, target="Finalized").under_way


def test_one_that_was_refused_holds_up_nobody_who_repairs_the_cluster() -> None:
    assert not migration(target="Converted", refused="one").under_way
    assert migration(target="Converted", refused="one").refusals == (REFUSAL,)
    again = migration(target="Converted", refused="an earlier one")
    assert again.under_way
    assert again.refusals == ()
