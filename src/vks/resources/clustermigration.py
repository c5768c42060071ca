"""ClusterMigration: a cluster on its way from the legacy provisioner to Cluster API."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.fields import ConditionList, DnsLabel, NamedList
from vks.resources.project import GROUP, VERSION
from vks.resources.validation import immutable

#: How far a migration goes by itself, in the order of the phases.
Target = Literal["Planned", "Prepared", "Adopted", "Converted", "Finalized"]
#: What a way back can end at: at nothing, or where the legacy provisioner is in charge again.
Retreat = Literal["Planned", "Prepared"]


class ClusterMigrationSpec(KubeStruct, frozen=True, kw_only=True):
    """Named like its cluster. Another value of `plan_request` asks for another plan. `paused`
    holds it between two steps; `rollback` takes back whatever has been done after `rollback_to`,
    whatever the target says."""

    cluster_name: DnsLabel
    plan_request: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    target: Target = "Planned"
    paused: bool = False
    rollback: bool = False
    rollback_to: Retreat = "Planned"


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
    carry over, by component; `seconds` is an estimate. `generation` is that of the LegacyCluster:
    with another one the plan is out of date."""

    request: str
    made: str
    generation: int = 0
    summary: str = ""
    refusals: tuple[MigrationFinding, ...] = ()
    nodes: tuple[MigrationNode, ...] = ()
    arguments: dict[str, dict[str, str]] = {}
    server_names: tuple[str, ...] = ()
    rolled: tuple[str, ...] = ()
    seconds: int = 0


class MigrationPhase(KubeStruct, frozen=True, kw_only=True):
    """A phase that has begun. `finished_at` None: it is under way, at `step`, or being taken
    back."""

    name: str
    started_at: str
    finished_at: str | None = None
    step: str = ""


#: Steps of a node that Cluster API has been asked to replace, or has decided to: nodes of its own
#: have come, or may be about to.
REPLACING, NODE_RELEASED, REPLACED = "Replacing", "Released", "Replaced"
LEAVING = (REPLACING, NODE_RELEASED, REPLACED)


class MigrationProgress(KubeStruct, frozen=True, kw_only=True):
    """What was last done to a node, or is being done."""

    name: str
    step: str


class ClusterMigrationStatus(KubeStruct, frozen=True, kw_only=True):
    """`phases` are those that have begun and are not taken back, in order."""

    phase: Literal[
        "Planning", "Refused", "Planned",
        "Preparing", "Prepared", "Adopting", "Adopted",
        "Converting", "Converted", "Finalizing", "Finalized",
        "RollingBack", "RolledBack",
    ] = "Planning"  # fmt: skip
    plan: MigrationPlan | None = None
    phases: Annotated[tuple[MigrationPhase, ...], NamedList] = ()
    nodes: Annotated[tuple[MigrationProgress, ...], NamedList] = ()
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class ClusterMigration(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "ClusterMigration", "clustermigrations")
    validations: ClassVar[tuple[dict[str, str], ...]] = (immutable("spec.clusterName"),)
    spec: ClusterMigrationSpec
    status: ClusterMigrationStatus = ClusterMigrationStatus()

    @property
    def refusals(self) -> tuple[MigrationFinding, ...]:
        """The reasons against what was asked for last; none before it is planned."""
        plan = self.status.plan
        return plan.refusals if plan and plan.request == self.spec.plan_request else ()

    @property
    def under_way(self) -> bool:
        """Whether it has been started and has neither been finalized nor taken back. One that is
        refused has not been started, whatever its target says: a fleet asks for plan and target at
        once."""
        if self.status.phases:
            return self.status.phase != "Finalized"
        return self.spec.target != "Planned" and not self.spec.rollback and not self.refusals

    def has_begun(self, phase: str) -> bool:
        """Whether the phase has begun and has not been taken back."""
        return any(record.name == phase for record in self.status.phases)
