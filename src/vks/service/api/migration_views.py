"""Migrations as the API shows them."""

from __future__ import annotations

from vks.kube.times import parse_time
from vks.resources.clustermigration import ClusterMigration, MigrationPlan
from vks.service.api.shapes import Model


class FindingView(Model):
    check: str
    message: str
    fix: str


class NodeChangesView(Model):
    name: str
    changes: list[str]


class PlanView(Model):
    """`arguments` carry over to the new control plane, by component; `rolled` are the machines
    that are replaced on purpose."""

    id: str
    made_at: str
    summary: str
    refusals: list[FindingView]
    nodes: list[NodeChangesView]
    arguments: dict[str, dict[str, str]]
    server_names: list[str]
    rolled: list[str]
    seconds: int


class PhaseView(Model):
    """A phase that has begun; `step` is where it is, while it is under way; `seconds` is how long
    it took."""

    name: str
    started_at: str
    finished_at: str | None
    seconds: int | None
    step: str


class ProgressView(Model):
    """What was last done to a node, or is being done."""

    name: str
    step: str


class MigrationView(Model):
    """`requested` is the id of the plan that was asked for last, `target` how far the migration
    goes by itself; `message` says what it waits for."""

    cluster: str
    phase: str
    target: str
    paused: bool
    rollback: bool
    requested: str
    plan: PlanView | None
    phases: list[PhaseView]
    nodes: list[ProgressView]
    message: str


def migration_view(migration: ClusterMigration) -> MigrationView:
    spec, status = migration.spec, migration.status
    # What it waits for is told by the last phase that has begun, or by the plan.
    waits = next(
        (c for c in reversed(status.conditions) if c.status == "False" and c.message), None
    )
    return MigrationView(
        cluster=spec.cluster_name,
        phase=status.phase,
        target=spec.target,
        paused=spec.paused,
        rollback=spec.rollback,
        requested=spec.plan_request,
        plan=_plan(status.plan) if status.plan is not None else None,
        phases=phase_views(migration),
        nodes=[ProgressView(name=node.name, step=node.step) for node in status.nodes],
        message=f"{waits.reason}: {waits.message}" if waits is not None else "",
    )


def phase_views(migration: ClusterMigration) -> list[PhaseView]:
    return [
        PhaseView(
            name=phase.name,
            started_at=phase.started_at,
            finished_at=phase.finished_at,
            seconds=seconds_between(phase.started_at, phase.finished_at),
            step=phase.step,
        )
        for phase in migration.status.phases
    ]


def seconds_between(began: str | None, ended: str | None) -> int | None:
    if began is None or ended is None:
        return None
    return round((parse_time(ended) - parse_time(began)).total_seconds())


def _plan(plan: MigrationPlan) -> PlanView:
    return PlanView(
        id=plan.request,
        made_at=plan.made,
        summary=plan.summary,
        refusals=[FindingView(check=f.check, message=f.message, fix=f.fix) for f in plan.refusals],
        nodes=[NodeChangesView(name=n.name, changes=list(n.changes)) for n in plan.nodes],
        arguments=plan.arguments,
        server_names=list(plan.server_names),
        rolled=list(plan.rolled),
        seconds=plan.seconds,
    )
