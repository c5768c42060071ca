"""Fleets of migrations: an operator's business, like each of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from vks.kube.errors import AlreadyExists, NotFound
from vks.resources.clustermigration import ClusterMigration
from vks.resources.managedcluster import ManagedCluster
from vks.resources.migrationfleet import (
    MAX_CLUSTERS,
    MAX_CONCURRENCY,
    FleetCluster,
    MigrationFleet,
)
from vks.service.api import models
from vks.service.api.context import Name, Scope, ScopeIn
from vks.service.api.migration_views import PhaseView, phase_views, seconds_between
from vks.service.api.problems import FieldProblem, Problem, invalid
from vks.service.api.regions import FIELD_MANAGER, Region, patch_spec
from vks.service.api.routes.migration import refuse_users
from vks.service.api.shapes import Model

router = APIRouter(prefix="/projects/{project}/migration-fleets", tags=["migration"])

_Label = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
_Failures = Annotated[int, Field(ge=1, le=MAX_CLUSTERS)]


class FleetRequest(Model):
    """`clusters` in the order in which they are taken; null: all of the legacy provisioner. When
    `haltAfter` have failed no other begins."""

    name: _Label
    region: str | None = None
    clusters: Annotated[list[_Label], Field(min_length=1, max_length=MAX_CLUSTERS)] | None = None
    until: Literal["Prepared", "Adopted", "Converted", "Finalized"] = "Converted"
    concurrency: Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)] = 1
    halt_after: _Failures = 1
    timeout_seconds: Annotated[int, Field(ge=60, le=604_800)] = 7200


class ResumeRequest(Model):
    """With `haltAfter` it goes on although that many have failed before."""

    halt_after: _Failures | None = None


class FleetClusterView(Model):
    """`seconds` from its begin to its end; `phases` and `phase` are its migration's."""

    name: str
    state: str
    phase: str
    reason: str
    message: str
    started_at: str | None
    finished_at: str | None
    seconds: int | None
    phases: list[PhaseView]


class FleetView(Model):
    """`failed` are those that have failed, or are overdue."""

    name: str
    region: str
    phase: str
    until: str
    concurrency: int
    halt_after: int
    timeout_seconds: int
    paused: bool
    done: int
    under_way: int
    failed: int
    clusters: list[FleetClusterView]


@router.post("", operation_id="createMigrationFleet", status_code=202)
async def create_fleet(scope: ScopeIn, body: FleetRequest) -> FleetView:
    """Migrates many clusters, a few at a time."""
    refuse_users(scope)
    region = _region(scope, body.region)
    namespace = await region.namespace(scope.caller)
    clusters = await _clusters(region, namespace, body.clusters)
    present = (await region.client.list(MigrationFleet, namespace)).items
    busy = [f.metadata.name for f in present if f.status.phase != "Finished"]
    if body.name not in busy and busy:
        raise Problem("conflict", f"fleet {busy[0]!r} has not finished: wait, or delete it")
    manifest = {
        "metadata": {"name": body.name, "namespace": namespace},
        "spec": {
            "clusters": clusters,
            "target": body.until,
            "concurrency": body.concurrency,
            "haltAfter": body.halt_after,
            "timeoutSeconds": body.timeout_seconds,
        },
    }
    try:
        made = await region.client.create(MigrationFleet, manifest, field_manager=FIELD_MANAGER)
    except AlreadyExists:
        errors = [FieldProblem(field="name", message="is taken")]
        raise Problem("already_exists", f"a fleet {body.name!r} exists", errors=errors) from None
    return await _view(region, made)


@router.get("", operation_id="listMigrationFleets")
async def list_fleets(scope: ScopeIn) -> models.Page[FleetView]:
    """The project's fleets, finished ones too."""
    refuse_users(scope)
    found = [
        await _view(region, fleet)
        for region in scope.regions
        for fleet in (
            await region.client.list(MigrationFleet, await region.namespace(scope.caller))
        ).items
    ]
    return models.Page[FleetView](items=found)


@router.get("/{fleet}", operation_id="getMigrationFleet")
async def get_fleet(scope: ScopeIn, fleet: Name) -> FleetView:
    """How far every cluster is, how long its phases took, and why it has failed."""
    return await _view(*await _find(scope, fleet))


@router.post("/{fleet}/pause", operation_id="pauseMigrationFleet", status_code=202)
async def pause_fleet(scope: ScopeIn, fleet: Name) -> FleetView:
    """No other cluster begins; those that are under way go on."""
    region, found = await _find(scope, fleet)
    return await _view(region, await patch_spec(region.client, found, {"paused": True}))


@router.post("/{fleet}/resume", operation_id="resumeMigrationFleet", status_code=202)
async def resume_fleet(scope: ScopeIn, fleet: Name, body: ResumeRequest) -> FleetView:
    """Goes on with the next clusters."""
    region, found = await _find(scope, fleet)
    spec: dict[str, Any] = {"paused": False}
    if body.halt_after is not None:
        spec["haltAfter"] = body.halt_after
    return await _view(region, await patch_spec(region.client, found, spec))


@router.delete("/{fleet}", operation_id="deleteMigrationFleet", status_code=204)
async def delete_fleet(scope: ScopeIn, fleet: Name) -> Response:
    """Forgets the fleet. Migrations that are under way go on."""
    region, found = await _find(scope, fleet)
    meta = found.metadata
    await region.client.delete(MigrationFleet, meta.name, meta.namespace, uid=meta.uid)
    return Response(status_code=204)


def _region(scope: Scope, name: str | None) -> Region:
    """Raises Problem."""
    names = ", ".join(region.name for region in scope.regions)
    if name is None and len(scope.regions) == 1:
        return scope.regions[0]
    region = scope.region(name or "")
    if region is None:
        message = f"unknown region; regions: {names}" if name else f"is needed; regions: {names}"
        raise invalid([FieldProblem(field="region", message=message)])
    return region


async def _clusters(region: Region, namespace: str, names: list[str] | None) -> list[str]:
    """Raises Problem for those that nothing can be done about."""
    found = (await region.client.list(ManagedCluster, namespace)).items
    legacy = {c.metadata.name for c in found if c.spec.provisioner == "legacy" and not c.deleting}
    if names is None:
        if not legacy:
            raise Problem("conflict", "the legacy provisioner has no cluster here")
        return sorted(legacy)
    known = {cluster.metadata.name for cluster in found}
    errors = []
    for index, name in enumerate(names):
        if name in names[:index]:
            errors.append(FieldProblem(field=f"clusters.{index}", message="is there twice"))
        elif name not in known:
            errors.append(
                FieldProblem(field=f"clusters.{index}", message="there is no such cluster")
            )
        elif name not in legacy and not await _migrates(region, namespace, name):
            message = "is no cluster of the legacy provisioner"
            errors.append(FieldProblem(field=f"clusters.{index}", message=message))
    if errors:
        raise invalid(errors)
    return names


async def _migrates(region: Region, namespace: str, cluster: str) -> bool:
    try:
        found = await region.client.get(ClusterMigration, cluster, namespace)
    except NotFound:
        return False
    return found.under_way


async def _find(scope: Scope, fleet: str) -> tuple[Region, MigrationFleet]:
    """Raises Problem, for whoever is no operator too."""
    refuse_users(scope)
    for region in scope.regions:
        namespace = await region.namespace(scope.caller)
        try:
            return region, await region.client.get(MigrationFleet, fleet, namespace)
        except NotFound:
            continue
    raise Problem("not_found", f"there is no fleet {fleet!r}")


async def _view(region: Region, fleet: MigrationFleet) -> FleetView:
    spec, status = fleet.spec, fleet.status
    found = (await region.client.list(ClusterMigration, fleet.metadata.namespace)).items
    migrations = {migration.spec.cluster_name: migration for migration in found}
    records = status.clusters or tuple(FleetCluster(name=name) for name in spec.clusters)
    return FleetView(
        name=fleet.metadata.name,
        region=region.name,
        phase=status.phase,
        until=spec.target,
        concurrency=spec.concurrency,
        halt_after=spec.halt_after,
        timeout_seconds=spec.timeout_seconds,
        paused=spec.paused,
        done=status.done,
        under_way=status.under_way,
        failed=status.failed,
        clusters=[_cluster(record, migrations.get(record.name)) for record in records],
    )


def _cluster(record: FleetCluster, migration: ClusterMigration | None) -> FleetClusterView:
    """What its migration says counts from when the fleet began with it."""
    known = migration if record.started_at is not None else None
    return FleetClusterView(
        name=record.name,
        state=record.state,
        phase=known.status.phase if known is not None else "",
        reason=record.reason,
        message=record.message,
        started_at=record.started_at,
        finished_at=record.finished_at,
        seconds=seconds_between(record.started_at, record.finished_at),
        phases=phase_views(known) if known is not None else [],
    )
