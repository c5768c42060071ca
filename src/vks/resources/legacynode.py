"""LegacyNode: one server of a LegacyCluster, driven by the agent on it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.fields import (
    CloudName,
    ConditionList,
    DnsLabel,
    IPv4Text,
    KubernetesVersion,
    SshPublicKey,
)
from vks.resources.legacycluster import GROUP, VERSION
from vks.resources.validation import fixed, immutable


class NodePreparation(KubeStruct, frozen=True, kw_only=True):
    """What a node runs differently while its cluster moves to Cluster API.

    `etcd_name` is its member's other name, `server_names` are what its API server's certificate is
    good for besides, `kubeadm` lets its services do what `kubeadm join` asks for. `drained`: the
    others do not use its API server; `detour` is the address of the one that answers new
    connections to it meanwhile.
    """

    etcd_name: DnsLabel | None = None
    server_names: Annotated[tuple[CloudName, ...], msgspec.Meta(max_length=100)] = ()
    kubeadm: bool = False
    drained: bool = False
    detour: IPv4Text | None = None


class LegacyNodeSpec(KubeStruct, frozen=True, kw_only=True):
    """What a node is never changes: another image is another node. `slot` is the one of its pool's
    addresses that it has, `version` the Kubernetes version that its image is to bring."""

    cluster_name: DnsLabel
    role: Literal["control-plane", "worker"]
    pool: DnsLabel | None = None
    slot: DnsLabel | None = None
    zone: CloudName
    flavor: CloudName
    image: CloudName
    version: KubernetesVersion | None = None
    preparation: NodePreparation | None = None
    ssh_public_key: SshPublicKey | None = None


class EtcdMember(KubeStruct, frozen=True, kw_only=True):
    """How the node's etcd was told to start, recorded before it does; `voter` once it counts."""

    initial_cluster: str
    state: Literal["new", "existing"]
    voter: bool = False


class LegacyNodeStatus(KubeStruct, frozen=True, kw_only=True):
    """`version` is the Kubernetes version that the node's image has brought, `plan` the digest of
    what the agent was told last, `api_servers` what the node's way to the API leads to."""

    port_id: str | None = None
    address: str = ""
    server_id: str | None = None
    server_state: str | None = None
    provider_id: str = ""
    version: str = ""
    pod_cidr: str = ""
    plan: str = ""
    etcd: EtcdMember | None = None
    api_servers: tuple[str, ...] = ()
    #: The flags of what really runs on the node, by component; see `vks.legacy`.
    running: dict[str, dict[str, str]] = {}
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class LegacyNode(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "LegacyNode", "legacynodes")
    validations: ClassVar[tuple[dict[str, str], ...]] = (
        *(immutable(f"spec.{name}") for name in ("clusterName", "role", "zone", "flavor", "image")),
        fixed("spec.pool"),
        fixed("spec.slot"),
        fixed("spec.version"),
        fixed("spec.sshPublicKey"),
    )
    spec: LegacyNodeSpec
    status: LegacyNodeStatus = LegacyNodeStatus()

    @property
    def is_control_plane(self) -> bool:
        return self.spec.role == "control-plane"
