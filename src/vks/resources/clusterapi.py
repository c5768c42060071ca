"""The Cluster API kinds (v1beta2), reduced to the fields that VKS reads."""

from __future__ import annotations

from typing import ClassVar

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.contract import (
    ADDONS_GROUP,
    BOOTSTRAP_GROUP,
    CLUSTER_GROUP,
    CONTROL_PLANE_GROUP,
    CONTROL_PLANE_LABEL,
)
from vks.resources.fields import ContractReference, Endpoint, MachineAddress
from vks.resources.verdacluster import FailureDomain

V = "v1beta2"


class NetworkRanges(KubeStruct, frozen=True, kw_only=True):
    cidr_blocks: tuple[str, ...] = ()


class ClusterNetwork(KubeStruct, frozen=True, kw_only=True):
    pods: NetworkRanges = NetworkRanges()
    services: NetworkRanges = NetworkRanges()


class ClusterSpec(KubeStruct, frozen=True, kw_only=True):
    paused: bool = False
    cluster_network: ClusterNetwork = ClusterNetwork()
    control_plane_endpoint: Endpoint = Endpoint()
    infrastructure_ref: ContractReference = ContractReference()
    control_plane_ref: ContractReference = ContractReference()


class ClusterInitialization(KubeStruct, frozen=True, kw_only=True):
    infrastructure_provisioned: bool = False
    control_plane_initialized: bool = False


class ClusterStatus(KubeStruct, frozen=True, kw_only=True):
    phase: str = ""
    initialization: ClusterInitialization = ClusterInitialization()
    failure_domains: tuple[FailureDomain, ...] = ()
    conditions: tuple[Condition, ...] = ()


class Cluster(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(CLUSTER_GROUP, V, "Cluster", "clusters")
    spec: ClusterSpec = ClusterSpec()
    status: ClusterStatus = ClusterStatus()


class Bootstrap(KubeStruct, frozen=True, kw_only=True):
    config_ref: ContractReference | None = None
    data_secret_name: str | None = None


class MachineSpec(KubeStruct, frozen=True, kw_only=True):
    cluster_name: str = ""
    version: str = ""
    failure_domain: str = ""
    provider_id: str = ""
    bootstrap: Bootstrap = Bootstrap()
    infrastructure_ref: ContractReference = ContractReference()


class NodeReference(KubeStruct, frozen=True, kw_only=True):
    name: str = ""


class MachineStatus(KubeStruct, frozen=True, kw_only=True):
    phase: str = ""
    node_ref: NodeReference | None = None
    addresses: tuple[MachineAddress, ...] = ()
    conditions: tuple[Condition, ...] = ()


class Machine(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(CLUSTER_GROUP, V, "Machine", "machines")
    spec: MachineSpec = MachineSpec()
    status: MachineStatus = MachineStatus()

    @property
    def is_control_plane(self) -> bool:
        return CONTROL_PLANE_LABEL in self.metadata.labels


class MachineTemplateBootstrap(KubeStruct, frozen=True, kw_only=True):
    config_ref: ContractReference | None = None


class MachineTemplateMachineSpec(KubeStruct, frozen=True, kw_only=True):
    version: str = ""
    failure_domain: str = ""
    bootstrap: MachineTemplateBootstrap = MachineTemplateBootstrap()
    infrastructure_ref: ContractReference = ContractReference()


class MachineTemplateSpec(KubeStruct, frozen=True, kw_only=True):
    spec: MachineTemplateMachineSpec = MachineTemplateMachineSpec()


class MachineDeploymentSpec(KubeStruct, frozen=True, kw_only=True):
    cluster_name: str = ""
    replicas: int = 0
    paused: bool = False
    template: MachineTemplateSpec = MachineTemplateSpec()


class ReplicaStatus(KubeStruct, frozen=True, kw_only=True):
    """The replica counters of v1beta2, shared by MachineDeployments and control planes."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    up_to_date_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class MachineDeployment(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(
        CLUSTER_GROUP, V, "MachineDeployment", "machinedeployments"
    )
    spec: MachineDeploymentSpec = MachineDeploymentSpec()
    status: ReplicaStatus = ReplicaStatus()


class MachineSet(KubeObject, frozen=True, kw_only=True):
    """The machines of one template of a MachineDeployment."""

    resource: ClassVar[Resource] = Resource(CLUSTER_GROUP, V, "MachineSet", "machinesets")
    spec: MachineDeploymentSpec = MachineDeploymentSpec()


class KubeadmControlPlaneMachineSpec(KubeStruct, frozen=True, kw_only=True):
    infrastructure_ref: ContractReference = ContractReference()


class KubeadmControlPlaneMachineTemplate(KubeStruct, frozen=True, kw_only=True):
    spec: KubeadmControlPlaneMachineSpec = KubeadmControlPlaneMachineSpec()


class KubeadmControlPlaneSpec(KubeStruct, frozen=True, kw_only=True):
    replicas: int = 0
    version: str = ""
    machine_template: KubeadmControlPlaneMachineTemplate = KubeadmControlPlaneMachineTemplate()


class KubeadmControlPlaneInitialization(KubeStruct, frozen=True, kw_only=True):
    control_plane_initialized: bool = False


class KubeadmControlPlaneStatus(ReplicaStatus, frozen=True, kw_only=True):
    version: str = ""
    initialization: KubeadmControlPlaneInitialization = KubeadmControlPlaneInitialization()


class KubeadmControlPlane(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(
        CONTROL_PLANE_GROUP, V, "KubeadmControlPlane", "kubeadmcontrolplanes"
    )
    spec: KubeadmControlPlaneSpec = KubeadmControlPlaneSpec()
    status: KubeadmControlPlaneStatus = KubeadmControlPlaneStatus()


class MachineHealthCheck(KubeObject, frozen=True, kw_only=True):
    """Written, never read beyond its metadata."""

    resource: ClassVar[Resource] = Resource(
        CLUSTER_GROUP, V, "MachineHealthCheck", "machinehealthchecks"
    )


class KubeadmConfig(KubeObject, frozen=True, kw_only=True):
    """Written, never read beyond its metadata."""

    resource: ClassVar[Resource] = Resource(BOOTSTRAP_GROUP, V, "KubeadmConfig", "kubeadmconfigs")


class KubeadmConfigTemplate(KubeObject, frozen=True, kw_only=True):
    """Written, never read beyond its metadata."""

    resource: ClassVar[Resource] = Resource(
        BOOTSTRAP_GROUP, V, "KubeadmConfigTemplate", "kubeadmconfigtemplates"
    )


class ClusterResourceSet(KubeObject, frozen=True, kw_only=True):
    """Written, never read beyond its metadata."""

    resource: ClassVar[Resource] = Resource(
        ADDONS_GROUP, V, "ClusterResourceSet", "clusterresourcesets"
    )
