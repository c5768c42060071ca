"""The shapes of the REST API: what requests may hold and what answers look like.

They are apart from the custom resources on purpose: the public API must not follow every change
of what controllers write down.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")

LABEL_VALUE = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
LABEL_KEY = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
)


def _network(text: str) -> str:
    network = ipaddress.ip_network(text)
    if network.version != 4:
        raise ValueError("must be an IPv4 network")
    return str(network)


def _odd(count: int) -> int:
    if count % 2 == 0:
        raise ValueError("must be odd: 1, 3, 5 or 7")
    return count


ClusterName = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=32)]
PoolName = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=20)]
Reference = Annotated[str, Field(min_length=1, max_length=255)]
Cidr = Annotated[str, Field(max_length=18), AfterValidator(_network)]
ControlPlanes = Annotated[
    int, Field(ge=1, le=7, json_schema_extra={"enum": [1, 3, 5, 7]}), AfterValidator(_odd)
]
LabelKey = Annotated[str, Field(pattern=LABEL_KEY, max_length=317)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]
Zones = Annotated[list[Reference], Field(max_length=100)]


class Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True, extra="forbid"
    )


class Taint(Model):
    key: LabelKey
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class NodePoolCreate(Model):
    """`zones` empty means every zone of the region, `image` null the version's own."""

    name: PoolName
    replicas: Annotated[int, Field(ge=0, le=1000)]
    flavor: Reference
    image: Reference | None = None
    zones: Zones = []
    labels: dict[LabelKey, LabelValue] = {}
    taints: Annotated[list[Taint], Field(max_length=50)] = []


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


class ControlPlanePatch(Model):
    replicas: ControlPlanes


class ClusterPatch(Model):
    control_plane: ControlPlanePatch


class NodePoolPatch(Model):
    """A JSON merge patch: what is absent stays; a label of null goes."""

    replicas: Annotated[int, Field(ge=0, le=1000)] | None = None
    zones: Annotated[list[Reference], Field(min_length=1, max_length=100)] | None = None
    labels: dict[LabelKey, LabelValue | None] | None = None
    taints: Annotated[list[Taint], Field(max_length=50)] | None = None


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


class Condition(Model):
    type: str
    status: str
    reason: str
    message: str
    last_transition_time: str


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
    created_at: str | None
    deleted_at: str | None
    status: ClusterStatus


class ZoneStatus(Model):
    name: str
    desired: int
    replicas: int
    ready_replicas: int


class NodePoolStatus(Model):
    phase: str
    replicas: int
    ready_replicas: int
    zones: list[ZoneStatus]
    conditions: list[Condition]


class NodePoolView(Model):
    name: str
    id: str
    cluster: str
    replicas: int
    flavor: str
    image: str
    zones: list[str]
    labels: dict[str, str]
    taints: list[Taint]
    created_at: str | None
    deleted_at: str | None
    status: NodePoolStatus


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
    phase: str
    progress: int
    requested_by: str
    created_at: str | None
    finished_at: str | None
    steps: list[Step]
    error: OperationErrorView | None


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
