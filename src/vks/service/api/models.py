"""The shapes of the REST API: what requests may hold and what answers look like.

They are apart from the custom resources on purpose: the public API must not follow every change
of what controllers write down.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, Field

from vks.service.api.pool_models import NodePoolCreate, UserScriptResult
from vks.service.api.shapes import NAME, VERSION, Condition, Model, Reference, Zones

T = TypeVar("T")


def _network(text: str) -> str:
    network = ipaddress.ip_network(text)
    if network.version != 4:
        raise ValueError("must be an IPv4 network")
    return str(network)


def _odd(count: int) -> int:
    if count % 2 == 0:
        raise ValueError("must be odd: 1, 3, 5 or 7")
    return count


ClusterName = Annotated[str, Field(pattern=NAME, max_length=32)]
Cidr = Annotated[str, Field(max_length=18), AfterValidator(_network)]
ControlPlanes = Annotated[
    int, Field(ge=1, le=7, json_schema_extra={"enum": [1, 3, 5, 7]}), AfterValidator(_odd)
]


class ControlPlaneCreate(Model):
    replicas: ControlPlanes = 3
    flavor: Reference
    image: Reference | None = None
    zones: Zones = []


class NetworkCreate(Model):
    network_id: Reference | None = None
    pod_cidr: Cidr = "10.244.0.0/16"
    service_cidr: Cidr = "10.96.0.0/16"
    cni: Literal["default", "none"] = "default"


class ClusterCreate(Model):
    name: ClusterName
    region: Reference
    version: Annotated[str, Field(max_length=32)]
    control_plane: ControlPlaneCreate
    network: NetworkCreate = NetworkCreate()
    key_name: Reference | None = None
    node_pools: Annotated[list[NodePoolCreate], Field(max_length=100)] = []
    provisioner: Literal["capi", "legacy"] | None = None
    deletion_protection: bool = False


class ControlPlanePatch(Model):
    replicas: ControlPlanes


class ClusterPatch(Model):
    """A JSON merge patch: what is absent stays."""

    control_plane: ControlPlanePatch | None = None
    deletion_protection: bool | None = None


class UpgradeRequest(Model):
    """`force` starts it although checks are Blocked or Unknown; never against the version skew
    that Kubernetes allows."""

    version: Annotated[str, Field(max_length=32, pattern=VERSION)]
    force: bool = False


class UpgradeCheck(Model):
    """`objects` names what the message is about."""

    name: str
    status: Literal["Passed", "Blocked", "Unknown"]
    message: str
    objects: list[str] = []


class UpgradeOption(Model):
    version: str
    image: str
    allowed: bool
    checks: list[UpgradeCheck]


class PoolVersion(Model):
    name: str
    version: str | None


class UpgradeState(Model):
    """The latest upgrade."""

    version: str
    from_version: str
    state: Literal["Running", "Paused", "Aborted"]
    operation: str


class UpgradesView(Model):
    control_plane: str
    node_pools: list[PoolVersion]
    current: UpgradeState | None
    available: list[UpgradeOption]


class NodeActionRequest(Model):
    """Of drain: after that long it has failed, and the node stays cordoned."""

    drain_timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600


class KubeconfigRequest(Model):
    ttl_seconds: Annotated[int, Field(ge=600, le=604_800)] = 43_200


class Kubeconfig(Model):
    kubeconfig: str
    expires_at: str


class Page(Model, Generic[T]):
    """`continue` is what asks for the next page; null on the last one."""

    items: list[T]
    continue_token: str | None = Field(default=None, alias="continue")

    @classmethod
    def of(cls, items: list[T], token: str | None) -> Self:
        return cls.model_validate({"items": items, "continue": token})


class ControlPlaneView(Model):
    replicas: int
    flavor: str
    image: str
    zones: list[str]


class ControlPlaneStatus(Model):
    replicas: int
    ready_replicas: int
    version: str


class ClusterStatus(Model):
    phase: str
    endpoint: str | None
    control_plane: ControlPlaneStatus
    conditions: list[Condition]


class ClusterView(Model):
    name: str
    id: str
    project: str
    region: str
    version: str
    control_plane: ControlPlaneView
    network: NetworkCreate
    key_name: str | None
    ssh_public_key: str | None
    deletion_protection: bool
    created_at: str | None
    deleted_at: str | None
    status: ClusterStatus


class Address(Model):
    type: str
    address: str


class NodeView(Model):
    name: str
    pool: str | None
    role: Literal["worker", "control-plane"]
    zone: str
    phase: str
    ready: bool
    version: str
    provider_id: str
    server_id: str
    addresses: list[Address]
    message: str
    user_script: UserScriptResult | None
    created_at: str | None


class Step(Model):
    name: str
    state: str
    message: str
    since: str | None
    finished_at: str | None


class OperationErrorView(Model):
    code: str
    message: str
    details: str


class OperationView(Model):
    id: str
    type: str
    project: str
    region: str
    cluster: str
    node_pool: str | None
    node: str | None
    phase: str
    progress: int
    requested_by: str
    created_at: str | None
    finished_at: str | None
    steps: list[Step]
    error: OperationErrorView | None


class QuotaView(Model):
    """`limit` null is none. `ram` is in MiB."""

    limit: int | None
    used: int


class RegionQuotas(Model):
    region: str
    quotas: dict[str, QuotaView]


class ProjectView(Model):
    name: str
    id: str


class ProjectDetail(ProjectView):
    """What the project may use of the cloud in each region, and uses, VKS or not."""

    regions: list[RegionQuotas]


class RegionView(Model):
    name: str
    zones: list[str]
    identity_url: str


class VersionView(Model):
    version: str
    image: str


class FlavorView(Model):
    id: str
    name: str
    vcpus: int
    ram_mb: int
    disk_gb: int


class ImageView(Model):
    id: str
    name: str
    kubernetes_version: str | None


class NetworkView(Model):
    id: str
    name: str
    shared: bool
    subnets: list[str]


class KeypairView(Model):
    name: str


class LimitsView(Model):
    max_node_pools: int
    max_pool_replicas: int


class OptionsView(Model):
    region: str
    zones: list[str]
    versions: list[VersionView]
    flavors: list[FlavorView]
    images: list[ImageView]
    networks: list[NetworkView]
    keypairs: list[KeypairView]
    control_plane_replicas: list[int]
    limits: LimitsView


class AutoscalerView(Model):
    """YAML documents; no secret is in them."""

    manifest: str


class AssociatedResource(Model):
    type: str
    id: str
    name: str
    on_delete: Literal["deleted", "kept"]


class ObjectReference(Model):
    kind: str
    name: str


class EventView(Model):
    type: str
    reason: str
    message: str
    object: ObjectReference
    count: int
    first_seen: str | None
    last_seen: str | None


class Health(Model):
    status: str
