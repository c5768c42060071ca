"""ManagedCluster: what a user asks VKS for. Controllers derive everything else from it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.fields import (
    Cidr,
    CloudName,
    ConditionList,
    ControlPlaneReplicas,
    DnsLabel,
    Endpoint,
    KubernetesVersion,
    SshPublicKey,
    ZoneList,
)
from vks.resources.project import GROUP, VERSION

#: Names the ManagedCluster on everything that is made for it.
CLUSTER_LABEL = "vks.verda/cluster"
#: JSON list of NodePoolSpecs that the controller has yet to make for a new cluster: cluster and
#: pools are asked for in one request, and one write of one object is all that can be atomic.
INITIAL_POOLS_ANNOTATION = "vks.verda/initial-node-pools"
#: `OPERATION:DIGEST` of the request that made the cluster, so that the same request, sent again
#: after a lost answer, is recognised.
REQUEST_ANNOTATION = "vks.verda/request"


class ControlPlaneSpec(KubeStruct, frozen=True, kw_only=True):
    """Everything is spelt out: what a region adds or renames later must not move machines."""

    replicas: ControlPlaneReplicas = 3
    flavor: CloudName
    image: CloudName
    zones: ZoneList


class ClusterNetworkSpec(KubeStruct, frozen=True, kw_only=True):
    """`network_id` None means a network of the cluster's own; `cni` "none": bring your own."""

    network_id: CloudName | None = None
    pod_cidr: Cidr = "10.244.0.0/16"
    service_cidr: Cidr = "10.96.0.0/16"
    cni: Literal["default", "none"] = "default"


class KubeProxySpec(KubeStruct, frozen=True, kw_only=True):
    """`conntrack_max_per_core` 0 leaves the kernel's limit, None means kube-proxy's default."""

    mode: Literal["nftables", "iptables"] = "nftables"
    conntrack_max_per_core: Annotated[int, msgspec.Meta(ge=0)] | None = None


class BootstrapSpec(KubeStruct, frozen=True, kw_only=True):
    """What the region's configuration says about bootstrapping servers.

    `startup_probe_seconds` is how long after its start, and then how often, each part of the
    control plane is asked whether it is up; None means kubeadm's 10 s. The next control plane is
    made when all parts of the last one are: one second saves ten or more per control plane.
    """

    ignore_preflight_errors: tuple[str, ...] = ()
    kube_proxy: KubeProxySpec = KubeProxySpec()
    startup_probe_seconds: Annotated[int, msgspec.Meta(ge=1, le=60)] | None = None
    cni_image: str = "registry.vks.verda/vks/cni:v1"


class InheritedSpec(KubeStruct, frozen=True, kw_only=True):
    """What a cluster that another provisioner made brings along, for as long as it lives: arguments
    of its control plane by component, names that its API servers answer to beside the usual ones,
    and the Secret with its EncryptionConfiguration under the key `config.yaml`.

    `on_hold` is what Cluster API does not act on yet, or not any more: the whole cluster, or its
    control plane.
    """

    api_server_args: dict[str, str] = {}
    controller_manager_args: dict[str, str] = {}
    scheduler_args: dict[str, str] = {}
    server_names: tuple[str, ...] = ()
    encryption_secret: DnsLabel | None = None
    on_hold: Literal["Cluster", "ControlPlane"] | None = None


class UpgradeSpec(KubeStruct, frozen=True, kw_only=True):
    """The latest upgrade. `from_*` is what the control plane was, to go back to when the upgrade
    is aborted before its first machine was replaced.

    The control plane goes first, by the cluster's own `version`; then the pools, one after the
    other, by theirs. Paused: nothing further begins. Aborted: a control plane that has begun is
    finished (Kubernetes does not go back), a pool that has begun goes back, the rest stays.
    """

    version: KubernetesVersion
    image: CloudName
    from_version: KubernetesVersion
    from_image: CloudName
    #: The Operation that tells how far it is.
    operation: str = ""
    state: Literal["Running", "Paused", "Aborted"] = "Running"


class ManagedClusterSpec(KubeStruct, frozen=True, kw_only=True):
    """`bootstrap` is filled from the region's configuration once, when the cluster is made.

    `version` is the control plane's, and that of node pools to come. A cluster with
    `deletion_protection` is not deleted before it is taken off. `ssh_public_key` lets its owner in
    to the servers; `key_name` is what its owner called the key pair.
    """

    region: CloudName
    version: KubernetesVersion
    control_plane: ControlPlaneSpec
    network: ClusterNetworkSpec = ClusterNetworkSpec()
    key_name: CloudName | None = None
    ssh_public_key: SshPublicKey | None = None
    provisioner: Literal["capi", "legacy"] = "capi"
    bootstrap: BootstrapSpec | None = None
    deletion_protection: bool = False
    upgrade: UpgradeSpec | None = None
    inherited: InheritedSpec | None = None


class ControlPlaneStatus(KubeStruct, frozen=True, kw_only=True):
    replicas: int = 0
    ready_replicas: int = 0
    version: str = ""


class ManagedClusterStatus(KubeStruct, frozen=True, kw_only=True):
    phase: Literal["Pending", "Provisioning", "Running", "Updating", "Deleting", "Failed"] = (
        "Pending"
    )
    observed_generation: int = 0
    endpoint: Endpoint | None = None
    control_plane: ControlPlaneStatus = ControlPlaneStatus()
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class ManagedCluster(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "ManagedCluster", "managedclusters")
    spec: ManagedClusterSpec
    status: ManagedClusterStatus = ManagedClusterStatus()
