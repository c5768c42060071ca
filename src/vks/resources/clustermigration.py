"""ClusterMigration: a cluster on its way from the legacy provisioner to Cluster API."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.fields import ConditionList, DnsLabel
from vks.resources.project import GROUP, VERSION
from vks.resources.validation import immutable


class ClusterMigrationSpec(KubeStruct, frozen=True, kw_only=True):
    """Named like its cluster. Another value of `plan_request` asks for another plan."""

    cluster_name: DnsLabel
    plan_request: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class MigrationFinding(KubeStruct, frozen=True, kw_only=True):
    """A reason against the migration, and what an operator can do about it."""

    check: str
    message: str
    fix: str = ""


class MigrationNode(KubeStruct, frozen=True, kw_only=True):
    """What happens to one node, in the order of the phases."""

    name: str
    changes: tuple[str, ...] = ()


class MigrationPlan(KubeStruct, frozen=True, kw_only=True):
    """`request` is the one that it answers; `arguments` are the flags of the control plane that
    carry over, by component; `seconds` is an estimate."""

    request: str
    made: str
    summary: str = ""
    refusals: tuple[MigrationFinding, ...] = ()
    nodes: tuple[MigrationNode, ...] = ()
    arguments: dict[str, dict[str, str]] = {}
    server_names: tuple[str, ...] = ()
    rolled: tuple[str, ...] = ()
    seconds: int = 0


class ClusterMigrationStatus(KubeStruct, frozen=True, kw_only=True):
    phase: Literal["Planning", "Refused", "Planned"] = "Planning"
    plan: MigrationPlan | None = None
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class ClusterMigration(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "ClusterMigration", "clustermigrations")
    validations: ClassVar[tuple[dict[str, str], ...]] = (immutable("spec.clusterName"),)
    spec: ClusterMigrationSpec
    status: ClusterMigrationStatus = ClusterMigrationStatus()
