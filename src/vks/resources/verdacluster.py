"""VerdaCluster: the cloud side of one cluster (network, server groups, load balancer)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from vks.kube.objects import Condition, KubeObject, KubeStruct, ObjectMeta, Resource
from vks.resources.contract import INFRASTRUCTURE_GROUP
from vks.resources.fields import (
    Cidr,
    CloudName,
    ConditionList,
    Endpoint,
    Initialization,
    LocalReference,
    NamedList,
)
from vks.resources.validation import fixed, immutable, write_once


class FailureDomainSpec(KubeStruct, frozen=True, kw_only=True):
    """One availability zone; `control_plane` says whether control planes may be placed there."""

    control_plane: bool = True


class FailureDomain(KubeStruct, frozen=True, kw_only=True):
    """An entry of `status.failureDomains`, in the list form of the v1beta2 contract."""

    name: str
    control_plane: bool = False


class NetworkSpec(KubeStruct, frozen=True, kw_only=True):
    """An existing network to use. Without it the provider makes one from the subnet pool."""

    network_id: CloudName | None = None
    cidr: Cidr | None = None


class VerdaClusterSpec(KubeStruct, frozen=True, kw_only=True):
    """`pod_routes`: whether the provider keeps a route per podCIDR in the network's router, or the
    pod network is made by others."""

    region: CloudName
    identity_ref: LocalReference
    failure_domains: dict[str, FailureDomainSpec] = {}
    network: NetworkSpec = NetworkSpec()
    control_plane_endpoint: Endpoint | None = None
    pod_routes: Literal["Managed", "Unmanaged"] = "Managed"
    #: What becomes of network and load balancer when the object is deleted. "Retain" is for a
    #: cluster that was taken over and may yet be given back.
    deletion_policy: Literal["Delete", "Retain"] = "Delete"


class NetworkStatus(KubeStruct, frozen=True, kw_only=True):
    """What the cluster's servers are attached to. `managed`: made by us, deleted by us."""

    network_id: str = ""
    subnet_id: str = ""
    router_id: str = ""
    security_group_id: str = ""
    cidr: str = ""
    managed: bool = False


class LoadBalancerStatus(KubeStruct, frozen=True, kw_only=True):
    id: str = ""
    pool_id: str = ""
    listener_id: str = ""
    vip_address: str = ""


class ServerGroupsStatus(KubeStruct, frozen=True, kw_only=True):
    control_plane_id: str = ""
    worker_id: str = ""


class VerdaClusterStatus(KubeStruct, frozen=True, kw_only=True):
    initialization: Initialization = Initialization()
    failure_domains: Annotated[tuple[FailureDomain, ...], NamedList] = ()
    network: NetworkStatus = NetworkStatus()
    load_balancer: LoadBalancerStatus = LoadBalancerStatus()
    server_groups: ServerGroupsStatus = ServerGroupsStatus()
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class VerdaCluster(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(
        INFRASTRUCTURE_GROUP, "v1beta1", "VerdaCluster", "verdaclusters"
    )
    #: Not on the spec: templates share it, and a template's rules differ (see config/admission).
    validations: ClassVar[tuple[dict[str, str], ...]] = (
        immutable("spec.region"),
        fixed("spec.network"),
        write_once("spec.controlPlaneEndpoint"),
    )
    spec: VerdaClusterSpec
    status: VerdaClusterStatus = VerdaClusterStatus()


class VerdaClusterTemplateResource(KubeStruct, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: VerdaClusterSpec


class VerdaClusterTemplateSpec(KubeStruct, frozen=True, kw_only=True):
    template: VerdaClusterTemplateResource


class VerdaClusterTemplate(KubeObject, frozen=True, kw_only=True):
    """For ClusterClass: what a VerdaCluster is stamped from. Immutable."""

    resource: ClassVar[Resource] = Resource(
        INFRASTRUCTURE_GROUP, "v1beta1", "VerdaClusterTemplate", "verdaclustertemplates"
    )
    spec: VerdaClusterTemplateSpec
