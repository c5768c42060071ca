"""VerdaMachine: one server of the cloud that a Cluster API Machine runs on."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from vks.kube.objects import Condition, KubeObject, KubeStruct, ObjectMeta, Resource
from vks.resources.contract import INFRASTRUCTURE_GROUP
from vks.resources.fields import (
    CloudName,
    ConditionList,
    Initialization,
    MachineAddress,
)
from vks.resources.validation import immutable, write_once

#: Seconds from "server requested" until its Node must have appeared.
DEFAULT_NODE_STARTUP_TIMEOUT = 600


class VerdaMachineSpec(KubeStruct, frozen=True, kw_only=True):
    """`failureDomain` is deliberately absent: the contract deprecates it and copies its value
    over the Machine's. `availability_zone` is filled from `Machine.spec.failureDomain`."""

    flavor: CloudName
    image: CloudName
    provider_id: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    availability_zone: CloudName | None = None
    key_name: CloudName | None = None
    server_metadata: dict[str, Annotated[str, msgspec.Meta(max_length=255)]] = {}
    #: Take over this server instead of making one.
    adopt_server_id: CloudName | None = None
    #: What becomes of a server that was taken over when the machine is deleted. "Delete" is for
    #: when its former owner has released it.
    adopted_server_policy: Literal["Retain", "Delete"] = "Retain"
    node_startup_timeout_seconds: Annotated[int, msgspec.Meta(ge=10, le=86400)] = (
        DEFAULT_NODE_STARTUP_TIMEOUT
    )


class VerdaMachineStatus(KubeStruct, frozen=True, kw_only=True):
    initialization: Initialization = Initialization()
    failure_domain: str | None = None
    addresses: tuple[MachineAddress, ...] = ()
    server_id: str | None = None
    server_state: str | None = None
    port_id: str | None = None
    load_balancer_member_id: str | None = None
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
        immutable("spec.flavor"),
        immutable("spec.image"),
    )
    spec: VerdaMachineSpec
    status: VerdaMachineStatus = VerdaMachineStatus()


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
