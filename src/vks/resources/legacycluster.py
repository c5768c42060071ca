"""LegacyCluster: a cluster of plain services that agents run, without kubeadm."""

from __future__ import annotations

import uuid
from typing import Annotated, ClassVar, Literal

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.fields import (
    Cidr,
    CloudName,
    ConditionList,
    ControlPlaneReplicas,
    DnsLabel,
    Endpoint,
    KubernetesVersion,
    LocalReference,
    NamedList,
    Replicas,
    SshPublicKey,
    ZoneList,
)
from vks.resources.managedcluster import KubeProxySpec
from vks.resources.nodepool import StaticIPSpec
from vks.resources.validation import immutable
from vks.resources.verdacluster import NetworkStatus
from vks.resources.verdaport import SlotSpec

GROUP = "legacy.vks.verda"
VERSION = "v1"
#: Of LegacyClusters and LegacyNodes: the provisioner has let go of it.
RELEASED = "Released"
#: Where every node reaches the API: a proxy on its own loopback, balanced over control planes.
API_PROXY_PORT = 7443


def authority_name(cluster: str) -> str:
    """The Secret with a cluster's authority: called, and its keys too, as Cluster API calls it."""
    return f"{cluster}-ca"


def keys_name(cluster: str) -> str:
    """The Secret with all other keys of a cluster."""
    return f"{cluster}-legacy-keys"


def kubeconfig_name(cluster: str) -> str:
    """The Secret with the kubeconfig of controllers: called as Cluster API calls it."""
    return f"{cluster}-kubeconfig"


def slot_owner(cluster_uid: str, pool: str, slot: str) -> str:
    """Whom the port of a reserved address is marked with: it outlives nodes, so it is none of
    them, and there are several in a cluster."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{cluster_uid}/{pool}.{slot}"))


class LegacyControlPlaneSpec(KubeStruct, frozen=True, kw_only=True):
    """`paused`: what is outdated stays for now, and what came in its place beside it."""

    replicas: ControlPlaneReplicas
    flavor: CloudName
    image: CloudName
    zones: ZoneList
    ssh_public_key: SshPublicKey | None = None
    paused: bool = False


class LegacyZoneSpec(KubeStruct, frozen=True, kw_only=True):
    name: CloudName
    replicas: Replicas


class LegacyPoolSpec(KubeStruct, frozen=True, kw_only=True):
    """Workers of one shape; nodes of another flavor, image or key are replaced one by one, unless
    that is `paused`. With `static_ip` they take turns in its addresses. `version` is what the image
    brings; without it, the cluster's."""

    name: DnsLabel
    flavor: CloudName
    image: CloudName
    version: KubernetesVersion | None = None
    zones: Annotated[tuple[LegacyZoneSpec, ...], NamedList] = ()
    ssh_public_key: SshPublicKey | None = None
    static_ip: StaticIPSpec | None = None
    paused: bool = False


class LegacyNetworkSpec(KubeStruct, frozen=True, kw_only=True):
    """`network_id` None means a network of the cluster's own."""

    network_id: CloudName | None = None
    pod_cidr: Cidr
    service_cidr: Cidr


class LegacyGuest(KubeStruct, frozen=True, kw_only=True):
    """A node that somebody else made and that lives in the cluster: its pods are routed to.

    While it "Stays" it counts as a node of the cluster's own: as a control plane, or as a worker of
    `pool` in `zone`. One to be "Replaced" does not count: it gets a successor. One that "Leaves" is
    drained, and its etcd member and its Node are removed; its server is its maker's to delete.
    `slot` is the reserved address of its pool that it has until then.
    """

    name: DnsLabel
    address: CloudName
    zone: CloudName
    pod_cidr: Cidr | None = None
    pool: DnsLabel | None = None
    slot: DnsLabel | None = None
    state: Literal["Stays", "Replaced", "Leaves"] = "Stays"

    @property
    def is_control_plane(self) -> bool:
        return self.pool is None


class LegacyClusterSpec(KubeStruct, frozen=True, kw_only=True):
    """`version` is what the control plane's image brings; `add_ons` names a ConfigMap whose values
    are manifests that are applied to the cluster, beside cluster DNS, which every cluster gets.
    `endpoint` is that of a load balancer, once there is one: users and nodes are sent there.

    `release` gives the cluster to somebody else. "Control": nothing is changed any more on its
    nodes, inside it or in the cloud, and the condition Released says when that holds; without it
    the provisioner takes over again. "Everything": network and load balancer have another owner
    as well, and outlive this object. `guests` are what others have made meanwhile.
    """

    region: CloudName
    identity_ref: LocalReference
    version: KubernetesVersion
    control_plane: LegacyControlPlaneSpec
    node_pools: Annotated[tuple[LegacyPoolSpec, ...], NamedList] = ()
    network: LegacyNetworkSpec
    kube_proxy: KubeProxySpec = KubeProxySpec()
    add_ons: LocalReference | None = None
    endpoint: Endpoint | None = None
    release: Literal["Control", "Everything"] | None = None
    guests: Annotated[tuple[LegacyGuest, ...], NamedList] = ()


class LegacyControlPlaneStatus(KubeStruct, frozen=True, kw_only=True):
    replicas: int = 0
    ready_replicas: int = 0
    up_to_date_replicas: int = 0
    version: str = ""


class LegacyEtcdMember(KubeStruct, frozen=True, kw_only=True):
    """A member as etcd's leader knows it; `name` is empty before its first start."""

    name: str = ""
    peer_url: str
    learner: bool = False


class LegacySlot(KubeStruct, frozen=True, kw_only=True):
    """An address of a pool. It is recorded before its port is made, and until that is gone."""

    pool: str
    name: str
    port_id: str = ""
    address: str = ""
    mac_address: str = ""
    subnet_id: str = ""


class LegacyClusterStatus(KubeStruct, frozen=True, kw_only=True):
    """`founder` is the node whose etcd was, or will be, the first member; `initialized` says that
    it answered once: from then on nodes join, and nobody founds anything again."""

    observed_generation: int = 0
    founder: str = ""
    initialized: bool = False
    endpoint: Endpoint | None = None
    network: NetworkStatus = NetworkStatus()
    etcd_members: tuple[LegacyEtcdMember, ...] = ()
    slots: tuple[LegacySlot, ...] = ()
    control_plane: LegacyControlPlaneStatus = LegacyControlPlaneStatus()
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class LegacyCluster(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "LegacyCluster", "legacyclusters")
    validations: ClassVar[tuple[dict[str, str], ...]] = (
        immutable("spec.region"),
        immutable("spec.network"),
    )
    spec: LegacyClusterSpec
    status: LegacyClusterStatus = LegacyClusterStatus()

    @property
    def released(self) -> bool:
        return self.spec.release is not None

    @property
    def wanted_slots(self) -> dict[tuple[str, str], tuple[StaticIPSpec, SlotSpec]]:
        """The addresses that there are to be, by pool and name."""
        return {
            (pool.name, slot.name): (pool.static_ip, slot)
            for pool in self.spec.node_pools
            if pool.static_ip is not None
            for slot in pool.static_ip.slots
        }

    def staying(self, pool: str | None = None) -> list[LegacyGuest]:
        """The guests that count as control planes, or as workers of the pool."""
        return [g for g in self.spec.guests if g.state == "Stays" and g.pool == pool]
