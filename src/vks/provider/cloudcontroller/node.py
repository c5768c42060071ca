"""Pure: what a Node of a workload cluster must be told about the server under it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from vks.kube.selectors import Selection
from vks.resources.core import Node, Pod
from vks.resources.fields import MachineAddress
from vks.resources.verdamachine import NO_POD_NETWORK

UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
REGION_LABEL = "topology.kubernetes.io/region"
ZONE_LABEL = "topology.kubernetes.io/zone"
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"

#: The pods that make a node a control plane; kubeadm labels them so.
CONTROL_PLANE_PODS = Selection("kube-system", label_selector="tier=control-plane")
_COMPONENT_LABEL = "component"
_COMPONENTS = frozenset({"kube-apiserver", "kube-controller-manager", "kube-scheduler"})

NOT_READY = "NodeNotReady"
#: Seconds in which a new worker may become ready before anybody is told that it is not.
NODE_GRACE = 5.0

_SCHEME = "verda:///"
#: What kubelet says of its node as long as nothing else is wrong with it.
_NO_NETWORK = "container runtime network not ready"


class Health(NamedTuple):
    """As a condition says it."""

    healthy: bool
    reason: str
    message: str = ""


def place_of(provider_id: str) -> tuple[str, str] | None:
    """Region and zone out of `verda:///REGION/ZONE/SERVER-ID`; None for anything else."""
    parts = provider_id.removeprefix(_SCHEME).split("/")
    if not provider_id.startswith(_SCHEME) or len(parts) != 3 or not all(parts):
        return None
    return parts[0], parts[1]


def labels_of(provider_id: str, instance_type: str) -> dict[str, str]:
    """The labels by which schedulers and people find the node. Empty for a foreign node."""
    place = place_of(provider_id)
    if place is None:
        return {}
    return {
        REGION_LABEL: place[0],
        ZONE_LABEL: place[1],
        INSTANCE_TYPE_LABEL: instance_type,
    }


def addresses_patch(node: Node, addresses: tuple[MachineAddress, ...]) -> dict[str, Any] | None:
    """A merge patch of the status, or None when the node has these addresses."""
    if set(addresses) == set(node.status.addresses):
        return None
    listed = [{"type": address.type, "address": address.address} for address in addresses]
    return {"status": {"addresses": listed}}


class NodePatch(NamedTuple):
    """A JSON patch, and what has to hold for it."""

    tests: list[dict[str, Any]]
    ops: list[dict[str, Any]]


def node_patch(node: Node, labels: dict[str, str], taints: frozenset[str]) -> NodePatch:
    """Sets the labels and takes away the taints of these keys, which keep pods off a node that the
    cloud has not yet vouched for. Others change taints too, in the same moments of a node's life:
    each has to be where it was seen. Without operations when there is nothing to do."""
    tests: list[dict[str, Any]] = []
    ops: list[dict[str, Any]] = [
        {"op": "add", "path": f"/metadata/labels/{name.replace('/', '~1')}", "value": value}
        for name, value in sorted(labels.items())
        if node.metadata.labels.get(name) != value
    ]
    if ops and not node.metadata.labels:
        ops.insert(0, {"op": "add", "path": "/metadata/labels", "value": {}})
    for index, taint in reversed([*enumerate(node.spec.taints)]):
        if taint.key in taints:
            path = f"/spec/taints/{index}"
            tests.append({"op": "test", "path": f"{path}/key", "value": taint.key})
            ops.append({"op": "remove", "path": path})
    return NodePatch(tests, ops)


def health_of(node: Node, control_plane: Iterable[Pod] | None) -> Health:
    """How a node is; `control_plane` are its control-plane pods, None for a worker.

    Each change of it makes the control plane provider look again, and put off its next look by
    five seconds when it is not satisfied. So of the control plane no more is said than whether
    all of it is up, which is what that provider waits for, with or without a ready node.
    """
    up = control_plane is None or _is_up(control_plane)
    if not node.ready or any(taint.key == UNINITIALIZED for taint in node.spec.taints):
        ready = next((c for c in node.status.conditions if c.type == "Ready"), None)
        message = ready.message if ready is not None else "no Ready condition yet"
        reason = NO_POD_NETWORK if up and message.startswith(_NO_NETWORK) else NOT_READY
        if control_plane is not None:
            message = f"the control plane is {'up' if up else 'starting'}; {message}"
        return Health(False, reason, message)
    if not up:
        return Health(False, "ControlPlaneNotReady", "the control plane is starting")
    return Health(True, "NodeReady")


def is_news(health: Health, *, control_plane: bool) -> bool:
    """Whether it is worth telling of a node that has just registered. That a worker is not ready
    in its first seconds is not: core would look at its Machine for nothing."""
    return health.healthy or control_plane or health.reason != NOT_READY


def _is_up(control_plane: Iterable[Pod]) -> bool:
    pods = [*control_plane]
    present = {pod.metadata.labels.get(_COMPONENT_LABEL) for pod in pods}
    return present >= _COMPONENTS and all(pod.ready for pod in pods)
