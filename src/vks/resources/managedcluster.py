"""ManagedCluster: what a user asks VKS for. Controllers derive everything else from it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.fields import (
    Cidr,
    CloudName,
    ConditionList,
    ControlPlaneReplicas,
    Endpoint,
    KubernetesVersion,
)
from vks.resources.project import GROUP, VERSION


class ControlPlaneSpec(KubeStruct, frozen=True, kw_only=True):
    """`zones` empty means every zone of the region; `image` empty means the version's own."""

    replicas: ControlPlaneReplicas = 3
    flavor: CloudName
    image: CloudName | None = None
    zones: tuple[CloudName, ...] = ()


class ClusterNetworkSpec(KubeStruct, frozen=True, kw_only=True):
    """`network_id` None means a network of the cluster's own; `cni` "none": bring your own."""

    network_id: CloudName | None = None
    pod_cidr: Cidr = "10.244.0.0/16"
    service_cidr: Cidr = "10.96.0.0/16"
    cni: Literal["default", "none"] = "default"


class ManagedClusterSpec(KubeStruct, frozen=True, kw_only=True):
    region: CloudName
    version: KubernetesVersion
    control_plane: ControlPlaneSpec
    network: ClusterNetworkSpec = ClusterNetworkSpec()
    key_name: CloudName | None = None
    provisioner: Literal["capi", "legacy"] = "capi"


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
