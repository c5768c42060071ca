"""VerdaMachine: one server of the cloud that a Cluster API Machine runs on."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from vks.kube.objects import (
    Condition,
    KubeObject,
    KubeStruct,
    ObjectMeta,
    Resource,
    find_condition,
)
from vks.resources.contract import INFRASTRUCTURE_GROUP
from vks.resources.fields import (
    CloudName,
    ConditionList,
    Initialization,
    LocalReference,
    MachineAddress,
    VolumeSize,
)
from vks.resources.validation import fixed, immutable, write_once

#: The annotation of a Node in which it reports on its user script, and the key of the taint on a
#: node whose script has yet to succeed.
USER_SCRIPT = "vks.verda/user-script"
#: How the Node is; written by the cloud controller.
NODE_HEALTHY = "NodeHealthy"
#: The reason of NodeHealthy while the Node lacks nothing but a pod network.
NO_POD_NETWORK = "NoPodNetwork"
#: Seconds from "server requested" until its Node must have appeared.
DEFAULT_NODE_STARTUP_TIMEOUT = 600


class RootVolume(KubeStruct, frozen=True, kw_only=True):
    """Boot from a volume of this size instead of the flavor's disk. Nova makes it from the image,
    and deletes it with the server."""

    size_gib: VolumeSize


class VerdaMachineSpec(KubeStruct, frozen=True, kw_only=True):
    """`failureDomain` is deliberately absent: the contract deprecates it and copies its value
    over the Machine's. `availability_zone` is filled from `Machine.spec.failureDomain`."""

    flavor: CloudName
    image: CloudName
    provider_id: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    availability_zone: CloudName | None = None
    #: A key pair of the user that `identityRef` logs in as: Nova's belong to users. VKS, which logs
    #: in as a user of its own, puts its users' keys into the bootstrap data instead.
    key_name: CloudName | None = None
    root_volume: RootVolume | None = None
    server_metadata: dict[str, Annotated[str, msgspec.Meta(max_length=255)]] = {}
    #: Take over this server instead of making one.
    adopt_server_id: CloudName | None = None
    #: What becomes of a server that was taken over when the machine is deleted. "Delete" is for
    #: when its former owner has released it.
    adopted_server_policy: Literal["Retain", "Delete"] = "Retain"
    #: Boot on a port of this VerdaPortPool, not on one of the machine's own.
    port_pool_ref: LocalReference | None = None
    #: The VerdaPort that the machine is to have. Filled by the controller before it claims it.
    port_ref: LocalReference | None = None
    node_startup_timeout_seconds: Annotated[int, msgspec.Meta(ge=10, le=86400)] = (
        DEFAULT_NODE_STARTUP_TIMEOUT
    )
    #: The machine is Ready only once its node has reported that the user script went well.
    require_user_script: bool = False


class ScriptResult(KubeStruct, frozen=True, kw_only=True):
    """How one run of a user script ended. `exit_code` is 128 + the signal for a killed one;
    `lines` are the last that it wrote."""

    outcome: Literal["Succeeded", "Failed", "TimedOut", "Interrupted", "Skipped"]
    exit_code: int = 0
    duration_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    lines: Annotated[str, msgspec.Meta(max_length=4096)] = ""

    @property
    def succeeded(self) -> bool:
        return self.outcome == "Succeeded"


class UserScriptStatus(KubeStruct, frozen=True, kw_only=True):
    """What the node reports of its user script; `complete` when no more is to come."""

    complete: bool = False
    pre: ScriptResult | None = None
    post: ScriptResult | None = None

    @property
    def failed(self) -> bool:
        """Whether a part has ended otherwise than well."""
        return any(part is not None and not part.succeeded for part in (self.pre, self.post))


class VerdaMachineStatus(KubeStruct, frozen=True, kw_only=True):
    initialization: Initialization = Initialization()
    failure_domain: str | None = None
    addresses: tuple[MachineAddress, ...] = ()
    server_id: str | None = None
    server_state: str | None = None
    port_id: str | None = None
    load_balancer_member_id: str | None = None
    #: Written by the cloud controller, from the node's annotation.
    user_script: UserScriptStatus | None = None
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class VerdaMachine(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(
        INFRASTRUCTURE_GROUP, "v1beta1", "VerdaMachine", "verdamachines"
    )
    #: Not on the spec: templates share it, and a template's rules differ (see config/admission).
    validations: ClassVar[tuple[dict[str, str], ...]] = (
        *(
            write_once(f"spec.{field}")
            for field in ("providerID", "availabilityZone", "adoptServerID")
        ),
        fixed("spec.portPoolRef"),
        fixed("spec.rootVolume"),
        immutable("spec.flavor"),
        immutable("spec.image"),
    )
    spec: VerdaMachineSpec
    status: VerdaMachineStatus = VerdaMachineStatus()

    @property
    def node_health(self) -> Condition | None:
        return find_condition(self.status.conditions, NODE_HEALTHY)


class VerdaMachineTemplateResource(KubeStruct, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: VerdaMachineSpec


class VerdaMachineTemplateSpec(KubeStruct, frozen=True, kw_only=True):
    template: VerdaMachineTemplateResource


class NodeInfo(KubeStruct, frozen=True, kw_only=True):
    architecture: str = ""
    operating_system: str = ""


class VerdaMachineTemplateStatus(KubeStruct, frozen=True, kw_only=True):
    """What one machine of the template offers; read by the autoscaler to scale from zero."""

    capacity: dict[str, str] = {}
    node_info: NodeInfo | None = None


class VerdaMachineTemplate(KubeObject, frozen=True, kw_only=True):
    """What VerdaMachines are stamped from. Immutable: a change is a new template."""

    resource: ClassVar[Resource] = Resource(
        INFRASTRUCTURE_GROUP, "v1beta1", "VerdaMachineTemplate", "verdamachinetemplates"
    )
    spec: VerdaMachineTemplateSpec
    status: VerdaMachineTemplateStatus = VerdaMachineTemplateStatus()
