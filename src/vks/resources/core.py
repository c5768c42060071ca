"""The Kubernetes kinds that VKS reads, reduced to the fields that it uses."""

from __future__ import annotations

from typing import ClassVar

from vks.kube.objects import KubeObject, KubeStruct, Resource
from vks.resources.fields import MachineAddress, Taint


class Namespace(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource("", "v1", "Namespace", "namespaces", namespaced=False)


class Secret(KubeObject, frozen=True, kw_only=True):
    """`data` values are base64 text, as on the wire."""

    resource: ClassVar[Resource] = Resource("", "v1", "Secret", "secrets")
    type: str = ""
    data: dict[str, str] = {}


class ConfigMap(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource("", "v1", "ConfigMap", "configmaps")
    data: dict[str, str] = {}


class CoreCondition(KubeStruct, frozen=True, kw_only=True):
    """A condition in the form that Nodes and Pods have, older than `metav1.Condition`."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


def is_ready(conditions: tuple[CoreCondition, ...]) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in conditions)


class NodeSpec(KubeStruct, frozen=True, kw_only=True):
    provider_id: str = ""
    pod_cidr: str = ""
    pod_cidrs: tuple[str, ...] = ()
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False


class NodeStatus(KubeStruct, frozen=True, kw_only=True):
    addresses: tuple[MachineAddress, ...] = ()
    conditions: tuple[CoreCondition, ...] = ()


class Node(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource("", "v1", "Node", "nodes", namespaced=False)
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def ready(self) -> bool:
        return is_ready(self.status.conditions)


class PodSpec(KubeStruct, frozen=True, kw_only=True):
    node_name: str = ""


class PodStatus(KubeStruct, frozen=True, kw_only=True):
    conditions: tuple[CoreCondition, ...] = ()


class Pod(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource("", "v1", "Pod", "pods")
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def ready(self) -> bool:
        return is_ready(self.status.conditions)
