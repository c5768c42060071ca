"""The shapes of node pools: what requests may hold and what answers look like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vks.resources.nodepool import MAX_SCRIPT
from vks.service.api.shapes import (
    Condition,
    Count,
    LabelKey,
    LabelValue,
    Model,
    PoolName,
    Reference,
    Zones,
)
from vks.service.api.static_ip_models import StaticIP, StaticIPSummary

Script = Annotated[str, Field(max_length=MAX_SCRIPT)]
ScriptSeconds = Annotated[int, Field(ge=1, le=3600)]
DrainSeconds = Annotated[int, Field(ge=1, le=86_400)]
OnFailure = Literal["Ignore", "FailNode"]


class Taint(Model):
    key: LabelKey
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class UserScript(Model):
    """Shell that each node runs once, as root: `pre` before kubeadm, `post` when the node is
    Ready. `timeoutSeconds` is for each of them. After a failure under FailNode the node takes no
    pods, and the operation that made it fails."""

    pre: Script = ""
    post: Script = ""
    timeout_seconds: ScriptSeconds = 300
    on_failure: OnFailure = "Ignore"


class UserScriptPatch(Model):
    pre: Script | None = None
    post: Script | None = None
    timeout_seconds: ScriptSeconds | None = None
    on_failure: OnFailure | None = None


class RootVolume(Model):
    """A disk of its own for each node, made from the image and deleted with the node; without it
    the flavor says how large the disk is."""

    size_gib: Annotated[int, Field(ge=1, le=16_384)] = Field(alias="sizeGiB")


class Autoscaling(Model):
    """Between `min` and `max` the cluster-autoscaler says how many nodes there are."""

    min: Count
    max: Count


class NodePoolCreate(Model):
    """`zones` empty means every zone of the region, `image` null the version's own, `keyName`
    (one of the caller's key pairs) null the cluster's. `replicas` is needed unless there is
    `autoscaling`, which starts with it, or with its `min`. `maxSurge` and `maxUnavailable` hold
    for the pool as a whole: its zones roll one after the other, or as many at a time as these
    allow."""

    name: PoolName
    replicas: Count | None = None
    flavor: Reference
    image: Reference | None = None
    key_name: Reference | None = None
    root_volume: RootVolume | None = None
    zones: Zones = []
    labels: dict[LabelKey, LabelValue] = {}
    taints: Annotated[list[Taint], Field(max_length=50)] = []
    user_script: UserScript | None = None
    autoscaling: Autoscaling | None = None
    max_surge: Count = 1
    max_unavailable: Count = 0
    drain_timeout_seconds: DrainSeconds = 600
    static_ip: StaticIP | None = Field(default=None, alias="staticIP")


class NodePoolPatch(Model):
    """A JSON merge patch: what is absent stays; a label of null goes, and so do a `userScript`,
    an `autoscaling`, a `rootVolume` and a `keyName` of null. Flavor, image, key, root volume and
    script replace the nodes: `?dryRun=true` says which."""

    replicas: Count | None = None
    flavor: Reference | None = None
    image: Reference | None = None
    key_name: Reference | None = None
    root_volume: RootVolume | None = None
    zones: Annotated[list[Reference], Field(min_length=1, max_length=100)] | None = None
    labels: dict[LabelKey, LabelValue | None] | None = None
    taints: Annotated[list[Taint], Field(max_length=50)] | None = None
    user_script: UserScriptPatch | None = None
    autoscaling: Autoscaling | None = None
    max_surge: Count | None = None
    max_unavailable: Count | None = None
    drain_timeout_seconds: DrainSeconds | None = None
    static_ip: StaticIP | None = Field(default=None, alias="staticIP")


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
    """`replicas` is how many there are to be, whoever said so."""

    name: str
    id: str
    cluster: str
    version: str | None
    replicas: int
    flavor: str
    image: str
    key_name: str | None
    ssh_public_key: str | None
    root_volume: RootVolume | None
    zones: list[str]
    labels: dict[str, str]
    taints: list[Taint]
    user_script: UserScript | None
    autoscaling: Autoscaling | None
    max_surge: int
    max_unavailable: int
    drain_timeout_seconds: int
    static_ip: StaticIPSummary | None = Field(alias="staticIP")
    created_at: str | None
    deleted_at: str | None
    status: NodePoolStatus


class ScriptResult(Model):
    """`lines` are the last that the script wrote."""

    outcome: Literal["Succeeded", "Failed", "TimedOut", "Interrupted", "Skipped"]
    exit_code: int
    duration_seconds: float
    lines: str


class UserScriptResult(Model):
    """What the node has reported; `complete` when no more is to come."""

    complete: bool
    pre: ScriptResult | None
    post: ScriptResult | None


class PlannedNode(Model):
    name: str
    node: str | None
    zone: str


class PlannedZone(Model):
    """How many machines the zone has before and after."""

    name: str
    before: int
    after: int


class NodePoolPlan(Model):
    """What a change would do. `replaced` are the machines that go and are made anew, `because` of
    these fields; `inPlace` are the fields that change without replacing anything. Sent with
    `If-Match: etag`, the change is made only to the pool that the plan is about."""

    replaced: list[PlannedNode]
    because: list[str]
    in_place: list[str]
    zones: list[PlannedZone]
    max_surge: int
    max_unavailable: int
    etag: str
