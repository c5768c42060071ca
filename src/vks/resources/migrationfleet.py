"""MigrationFleet: many clusters of a project on their way to Cluster API, a few at a time."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from vks.kube.objects import KubeObject, KubeStruct, Resource
from vks.resources.clustermigration import Target
from vks.resources.fields import DnsLabel, NamedList
from vks.resources.project import GROUP, VERSION
from vks.resources.validation import immutable

MAX_CLUSTERS = 500
MAX_CONCURRENCY = 50

Clusters = Annotated[tuple[DnsLabel, ...], msgspec.Meta(min_length=1, max_length=MAX_CLUSTERS)]


class MigrationFleetSpec(KubeStruct, frozen=True, kw_only=True):
    """`clusters` in the order in which they are taken; never more than `concurrency` are under way.
    When `halt_after` have failed no other begins; those that are under way go on. One that is not
    at `target` after `timeout_seconds` has failed, unless it gets there all the same."""

    clusters: Clusters
    target: Target = "Converted"
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=MAX_CONCURRENCY)] = 1
    halt_after: Annotated[int, msgspec.Meta(ge=1, le=MAX_CLUSTERS)] = 1
    timeout_seconds: Annotated[int, msgspec.Meta(ge=60, le=604_800)] = 7200
    paused: bool = False


class FleetCluster(KubeStruct, frozen=True, kw_only=True):
    """`started_at` is written before anything is done with the cluster. One that is under way
    too long counts as failed and keeps its place: `reason` says so."""

    name: str
    state: Literal["Waiting", "UnderWay", "Done", "Failed"] = "Waiting"
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class MigrationFleetStatus(KubeStruct, frozen=True, kw_only=True):
    """`clusters` as the spec has them, in its order."""

    phase: Literal["Pending", "Running", "Paused", "Halted", "Finished"] = "Pending"
    done: int = 0
    under_way: int = 0
    failed: int = 0
    clusters: Annotated[tuple[FleetCluster, ...], NamedList] = ()


class MigrationFleet(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "MigrationFleet", "migrationfleets")
    validations: ClassVar[tuple[dict[str, str], ...]] = (
        immutable("spec.clusters"),
        immutable("spec.target"),
    )
    spec: MigrationFleetSpec
    status: MigrationFleetStatus = MigrationFleetStatus()
