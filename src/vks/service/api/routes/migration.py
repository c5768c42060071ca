"""Migration of a cluster to Cluster API: an operator's business."""

from __future__ import annotations

import uuid
from typing import Literal

from fastapi import APIRouter
from starlette.requests import Request

from vks.kube.errors import AlreadyExists
from vks.kube.objects import owner_reference
from vks.resources.clustermigration import ClusterMigration, MigrationPlan, Retreat
from vks.resources.legacycluster import LegacyCluster
from vks.resources.managedcluster import ManagedCluster
from vks.service.api.context import Name, Scope, ScopeIn
from vks.service.api.maintenance import refuse_unfinished
from vks.service.api.migration_views import MigrationView, migration_view
from vks.service.api.problems import Problem, absent
from vks.service.api.regions import FIELD_MANAGER, Region, find_cluster, patch_spec
from vks.service.api.shapes import Model
from vks.service.names import CLUSTER_LABEL

#: The phase after the cluster is prepared, and the one that there is no way back from.
ADOPT, FINALIZE = "Adopt", "Finalize"

router = APIRouter(prefix="/projects/{project}/clusters/{cluster}/migration", tags=["migration"])


class StartRequest(Model):
    """How far to go; to the end that there is a way back from, if not said otherwise."""

    until: Literal["Prepared", "Adopted", "Converted"] = "Converted"


class RollbackRequest(Model):
    """How far to go back; to the very beginning, if not said otherwise."""

    until: Retreat = "Planned"


def refuse_users(scope: Scope) -> None:
    """For everybody but operators there is no such thing."""
    if not scope.is_operator:
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
    spec = {
        "planRequest": uuid.uuid4().hex,
        "target": "Planned",
        "paused": False,
        "rollback": False,
    }
    body = {
        "metadata": {
            "name": cluster,
            "namespace": meta.namespace,
            "labels": {CLUSTER_LABEL: cluster},
            "ownerReferences": [owner_reference(found)],
        },
        "spec": {"clusterName": cluster, **spec},
    }
    try:
        made = await region.client.create(ClusterMigration, body, field_manager=FIELD_MANAGER)
    except AlreadyExists:
        present = await region.client.get(ClusterMigration, cluster, meta.namespace)
        if present.status.phases:
            raise Problem("conflict", "the migration is under way") from None
        made = await patch_spec(region.client, present, spec)
    return migration_view(made)


@router.post("/start", operation_id="startMigration", status_code=202)
async def start_migration(scope: ScopeIn, cluster: Name, body: StartRequest) -> MigrationView:
    """Begins, or goes on to a later phase."""
    region, present = await _migration(scope, cluster)
    plan = present.status.plan
    if present.spec.rollback and present.status.phase != present.spec.rollback_to:
        raise Problem("conflict", "the migration is being rolled back; plan again afterwards")
    if plan is None or plan.request != present.spec.plan_request:
        raise Problem("conflict", "there is no plan yet")
    if not present.status.phases:
        await _check_beginning(region, present, plan)
    spec = {"target": body.until, "paused": False, "rollback": False}
    return migration_view(await patch_spec(region.client, present, spec))


async def _check_beginning(
    region: Region, migration: ClusterMigration, plan: MigrationPlan
) -> None:
    """Raises Problem: nothing begins against a plan, or with an outdated one."""
    if plan.refusals:
        raise Problem("conflict", f"the plan is refused: {plan.summary}")
    name, namespace = migration.spec.cluster_name, migration.metadata.namespace
    await refuse_unfinished(region, name, namespace)
    cluster = await region.client.get(LegacyCluster, name, namespace)
    if cluster.metadata.generation != plan.generation:
        raise Problem("conflict", "the cluster has changed since it was planned: plan again")


@router.post("/pause", operation_id="pauseMigration", status_code=202)
async def pause_migration(scope: ScopeIn, cluster: Name) -> MigrationView:
    """Holds it before its next step."""
    region, present = await _migration(scope, cluster)
    return migration_view(await patch_spec(region.client, present, {"paused": True}))


@router.post("/resume", operation_id="resumeMigration", status_code=202)
async def resume_migration(scope: ScopeIn, cluster: Name) -> MigrationView:
    """Goes on where it was paused."""
    region, present = await _migration(scope, cluster)
    return migration_view(await patch_spec(region.client, present, {"paused": False}))


@router.post("/rollback", operation_id="rollBackMigration", status_code=202)
async def roll_back_migration(
    scope: ScopeIn, cluster: Name, body: RollbackRequest | None = None
) -> MigrationView:
    """Takes back whatever has been done, the last phase first, or what has been done since the
    cluster was prepared. Nodes that have been replaced are replaced once more."""
    region, present = await _migration(scope, cluster)
    if any(record.name == FINALIZE for record in present.status.phases):
        raise Problem("conflict", "what is finalized cannot be taken back")
    until = (body or RollbackRequest()).until
    if until == "Prepared" and not present.has_begun(ADOPT):
        raise Problem("conflict", "nothing has been done since the cluster was prepared")
    spec = {"rollback": True, "rollbackTo": until, "paused": False}
    return migration_view(await patch_spec(region.client, present, spec))


@router.post("/finalize", operation_id="finalizeMigration", status_code=202)
async def finalize_migration(scope: ScopeIn, cluster: Name) -> MigrationView:
    """Removes what is left of the legacy provisioner. There is no way back."""
    region, present = await _migration(scope, cluster)
    if present.spec.rollback or present.status.phase not in ("Converted", "Finalizing"):
        raise Problem("conflict", f"the migration is {present.status.phase}, not Converted")
    return migration_view(
        await patch_spec(region.client, present, {"target": "Finalized", "paused": False})
    )


async def _migration(scope: Scope, cluster: str) -> tuple[Region, ClusterMigration]:
    """Raises Problem for whoever is no operator, and for a cluster without a plan."""
    refuse_users(scope)
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    with absent(f"no migration of cluster {cluster!r} has been planned"):
        return region, await region.client.get(ClusterMigration, cluster, found.metadata.namespace)


@router.get("", operation_id="getMigration")
async def get_migration(scope: ScopeIn, cluster: Name) -> MigrationView:
    """How far the migration is, and its last plan."""
    _, present = await _migration(scope, cluster)
    return migration_view(present)
