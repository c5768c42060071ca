"""NodePool: workers of one shape in one or more zones of a ManagedCluster."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.fields import (
    CloudName,
    ConditionList,
    DnsLabel,
    KubernetesVersion,
    NamedList,
    Replicas,
    SshPublicKey,
    Taint,
    VolumeSize,
    ZoneList,
)
from vks.resources.project import GROUP, VERSION
from vks.resources.verdaport import Slots

#: Names the pool (as its user calls it) on what is made for a NodePool, and on its nodes.
POOL_LABEL = "vks.verda/pool"


class StaticIPSpec(KubeStruct, frozen=True, kw_only=True):
    """The addresses that the pool's nodes take turns in; without `subnet_id` in the subnet of the
    cluster."""

    subnet_id: CloudName | None = None
    slots: Slots = ()


#: How many bytes of either script an object may hold; what fits into user data is less.
MAX_SCRIPT = 131_072

OnFailure = Literal["Ignore", "FailNode"]


class UserScriptSpec(KubeStruct, frozen=True, kw_only=True):
    """Shell that nodes run once: `pre` before kubeadm, `post` when the Node is Ready.

    `timeout_seconds` is for each of the two. After a failure under "FailNode" the node takes no
    pods and its machine does not become ready.
    """

    pre: Annotated[str, msgspec.Meta(max_length=MAX_SCRIPT)] = ""
    post: Annotated[str, msgspec.Meta(max_length=MAX_SCRIPT)] = ""
    timeout_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 300
    on_failure: OnFailure = "Ignore"


class RootVolumeSpec(KubeStruct, frozen=True, kw_only=True):
    """A disk of its own size for each server, made from the image and deleted with the server;
    without it the flavor says how large the disk is."""

    size_gib: VolumeSize


class AutoscalingSpec(KubeStruct, frozen=True, kw_only=True):
    """Between these two the number of nodes is the cluster-autoscaler's business."""

    min: Replicas
    max: Replicas


class NodePoolSpec(KubeStruct, frozen=True, kw_only=True):
    """The object's name is `CLUSTER.POOL`; `pool_name` is what the user calls it.

    Labels and taints reach the nodes without replacing them. `replicas` is what an autoscaled
    pool starts with. `ssh_public_key` None means the cluster's; `key_name` is what its owner called
    the key pair. `max_surge` and `max_unavailable` hold for the pool as a whole.
    `drain_timeout_seconds` is how long evictions may hold up a node's deletion. `version` is
    written down once, so that a pool stays what it is while its cluster's control plane is
    upgraded. `leaving` names the nodes that were deleted one by one: scaling down takes them first.
    """

    cluster_name: DnsLabel
    pool_name: DnsLabel
    replicas: Replicas
    flavor: CloudName
    image: CloudName
    zones: ZoneList
    labels: dict[str, str] = {}
    taints: tuple[Taint, ...] = ()
    key_name: CloudName | None = None
    ssh_public_key: SshPublicKey | None = None
    root_volume: RootVolumeSpec | None = None
    user_script: UserScriptSpec | None = None
    autoscaling: AutoscalingSpec | None = None
    max_surge: Replicas = 1
    max_unavailable: Replicas = 0
    drain_timeout_seconds: Annotated[int, msgspec.Meta(ge=1, le=86400)] = 600
    static_ip: StaticIPSpec | None = None
    version: KubernetesVersion | None = None
    leaving: tuple[DnsLabel, ...] = ()


#: JSON `{"version", "image"}`: what the pool was before the upgrade that moved it.
UPGRADED_FROM_ANNOTATION = "vks.verda/upgraded-from"


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

    @property
    def size(self) -> int:
        """How many machines the pool is to have: what its user or the autoscaler said last."""
        if self.spec.autoscaling is None or not self.status.zones:
            return self.spec.replicas
        return sum(zone.desired for zone in self.status.zones)


def nodepool_name(cluster: str, pool: str) -> str:
    """The name of the NodePool object of a cluster's pool.

    The dot keeps names apart: with a hyphen, pool `c` of cluster `a-b` and pool `b-c` of
    cluster `a` would be one object.
    """
    return f"{cluster}.{pool}"
