"""Operation: one change that a user asked for, followed to its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from vks.kube.objects import KubeObject, KubeStruct, Resource
from vks.resources.fields import NamedList
from vks.resources.project import GROUP, VERSION

OperationType = Literal[
    "CreateCluster",
    "UpdateCluster",
    "DeleteCluster",
    "CreateNodePool",
    "UpdateNodePool",
    "DeleteNodePool",
    "UpgradeCluster",
    "CordonNode",
    "UncordonNode",
    "DrainNode",
    "RecreateNode",
    "DeleteNode",
]
#: What `kubectl` does just as well: pods move, machines stay.
_PODS_ONLY: frozenset[OperationType] = frozenset({"CordonNode", "UncordonNode", "DrainNode"})
StepState = Literal["Waiting", "Running", "Done", "Failed"]
OperationPhase = Literal["Pending", "Running", "Succeeded", "Failed"]


class OperationTarget(KubeStruct, frozen=True, kw_only=True):
    """The object that changes. `generation` is the one that must be reached, 0 for a deletion."""

    kind: Literal["ManagedCluster", "NodePool", "Machine"]
    name: str
    uid: str = ""
    generation: int = 0


class OperationSpec(KubeStruct, frozen=True, kw_only=True):
    type: OperationType
    cluster_name: str
    target: OperationTarget
    requested_by: str = ""
    idempotency_key: str = ""
    #: SHA-256 of the request body, so that a key used again for another request is refused.
    request_digest: str = ""
    #: Machines that the change replaces: it is not done while one of them is there.
    replaces: tuple[str, ...] = ()
    #: Where an upgrade leads.
    version: str = ""
    #: The pool of the node that is the target; empty: it is a control plane.
    pool_name: str = ""
    #: How long a drain may take before it has failed, in seconds.
    drain_timeout_seconds: int = 0


class OperationStep(KubeStruct, frozen=True, kw_only=True):
    """`message` says what the step waits for; times are RFC 3339."""

    name: str
    state: StepState = "Waiting"
    message: str = ""
    since: str | None = None
    finished: str | None = None


class OperationError(KubeStruct, frozen=True, kw_only=True):
    """`code` is stable and documented; `details` may hold the tail of a console log."""

    code: str
    message: str
    details: str = ""


class OperationStatus(KubeStruct, frozen=True, kw_only=True):
    phase: OperationPhase = "Pending"
    progress: int = 0
    steps: Annotated[tuple[OperationStep, ...], NamedList] = ()
    error: OperationError | None = None
    finished: str | None = None


class Operation(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "Operation", "operations")
    spec: OperationSpec
    status: OperationStatus = OperationStatus()

    @property
    def holds_cluster(self) -> bool:
        """Whether it is under way and makes, replaces or removes machines: a migration must not
        begin meanwhile."""
        return self.status.finished is None and self.spec.type not in _PODS_ONLY


def holders(operations: Iterable[Operation]) -> list[str]:
    """Those that hold their cluster, as TYPE NAME."""
    return sorted(f"{o.spec.type} {o.metadata.name}" for o in operations if o.holds_cluster)
