"""Migration of a cluster to Cluster API: an operator's business."""

from __future__ import annotations

import uuid

from fastapi import APIRouter
from starlette.requests import Request

from vks.kube.errors import AlreadyExists
from vks.kube.objects import owner_reference
from vks.resources.clustermigration import ClusterMigration, MigrationPlan
from vks.resources.managedcluster import ManagedCluster
from vks.service.api.context import Name, Scope, ScopeIn
from vks.service.api.problems import Problem
from vks.service.api.regions import FIELD_MANAGER, Region, find_cluster
from vks.service.api.shapes import Model
from vks.service.names import CLUSTER_LABEL

router = APIRouter(prefix="/projects/{project}/clusters/{cluster}/migration", tags=["migration"])


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


class MigrationView(Model):
    """`requested` is the id of the plan that was asked for last; `message` says what it waits
    for."""

    cluster: str
    phase: str
    requested: str
    plan: PlanView | None
    message: str


def refuse_users(scope: Scope) -> None:
    """For everybody but operators there is no such thing."""
    if not scope.caller.roles & {*scope.config.operator_roles}:
        raise Problem("not_found", "there is no such resource")


async def _legacy_cluster(scope: Scope, cluster: str) -> tuple[Region, ManagedCluster]:
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    if found.spec.provisioner != "legacy":
        raise Problem("conflict", "the cluster is Cluster API's already")
    if found.deleting:
        raise Problem("conflict", "the cluster is being deleted")
    return region, found


@router.post("/plan", operation_id="planMigration", status_code=202)
async def plan_migration(scope: ScopeIn, cluster: Name, request: Request) -> MigrationView:
    """Asks for a new plan: what would happen, and every reason against it. Nothing is touched."""
    refuse_users(scope)
    region, found = await _legacy_cluster(scope, cluster)
    meta = found.metadata
    wanted = uuid.uuid4().hex
    body = {
        "metadata": {
            "name": cluster,
            "namespace": meta.namespace,
            "labels": {CLUSTER_LABEL: cluster},
            "ownerReferences": [owner_reference(found)],
        },
        "spec": {"clusterName": cluster, "planRequest": wanted},
    }
    try:
        made = await region.client.create(ClusterMigration, body, field_manager=FIELD_MANAGER)
    except AlreadyExists:
        patch = {"spec": {"planRequest": wanted}}
        made = await region.client.merge_patch(
            ClusterMigration, cluster, meta.namespace, patch, field_manager=FIELD_MANAGER
        )
    return _view(made)


@router.get("", operation_id="getMigration")
async def get_migration(scope: ScopeIn, cluster: Name) -> MigrationView:
    """How far the migration is, and its last plan."""
    refuse_users(scope)
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    return _view(await region.client.get(ClusterMigration, cluster, found.metadata.namespace))


def _view(migration: ClusterMigration) -> MigrationView:
    status = migration.status
    waits = next((c for c in status.conditions if c.status != "True"), None)
    return MigrationView(
        cluster=migration.spec.cluster_name,
        phase=status.phase,
        requested=migration.spec.plan_request,
        plan=_plan(status.plan) if status.plan is not None else None,
        message=f"{waits.reason}: {waits.message}" if waits is not None else "",
    )


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
