"""NodePool: workers of one shape in one or more zones of a ManagedCluster."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.fields import (
    CloudName,
    ConditionList,
    DnsLabel,
    NamedList,
    Replicas,
    Taint,
    ZoneList,
)
from vks.resources.project import GROUP, VERSION


class NodePoolSpec(KubeStruct, frozen=True, kw_only=True):
    """The object's name is `CLUSTER.POOL`; `pool_name` is what the user calls it.

    Labels and taints reach the nodes without replacing them.
    """

    cluster_name: DnsLabel
    pool_name: DnsLabel
    replicas: Replicas
    flavor: CloudName
    image: CloudName
    zones: ZoneList
    labels: dict[str, str] = {}
    taints: tuple[Taint, ...] = ()


class ZoneStatus(KubeStruct, frozen=True, kw_only=True):
    name: str
    desired: int = 0
    replicas: int = 0
    ready_replicas: int = 0


class NodePoolStatus(KubeStruct, frozen=True, kw_only=True):
    phase: Literal["Pending", "Scaling", "Running", "Deleting", "Failed"] = "Pending"
    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    zones: Annotated[tuple[ZoneStatus, ...], NamedList] = ()
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class NodePool(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "NodePool", "nodepools")
    spec: NodePoolSpec
    status: NodePoolStatus = NodePoolStatus()


def nodepool_name(cluster: str, pool: str) -> str:
    """The name of the NodePool object of a cluster's pool.

    The dot keeps names apart: with a hyphen, pool `c` of cluster `a-b` and pool `b-c` of
    cluster `a` would be one object.
    """
    return f"{cluster}.{pool}"
