"""Pure: which control plane is changed next, and how far.

One at a time: the others stop using its API server, the API server and the controller manager
restart with other flags and another certificate, then etcd under another name, then it is used
again. Clients that were given its address are answered by a control plane whose certificate knows
that address, which is why the one that users were sent to comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from vks.kube.objects import find_condition
from vks.resources.legacynode import LegacyNode, NodePreparation
from vks.verda.apibalancer import API_PORT

NOTHING = NodePreparation()


class Goal(NamedTuple):
    """`server_names` are what certificates have to know at least; `endpoint` is the address that
    users are sent to; `back`: to what the nodes were, but for the names in their certificates,
    which harm nobody."""

    replicas: int
    endpoint: str
    server_names: tuple[str, ...] = ()
    back: bool = False


class Change(NamedTuple):
    node: LegacyNode
    preparation: NodePreparation
    progress: str


class Hold(NamedTuple):
    """Nothing may be changed now."""

    reason: str
    message: str


def decide(nodes: Sequence[LegacyNode], goal: Goal) -> Change | Hold | None:
    """None when every control plane is what it shall be. `nodes` are all of the cluster."""
    planes = [node for node in nodes if node.is_control_plane]
    if len(planes) != goal.replicas:
        return Hold("ControlPlanesChange", f"{len(planes)}/{goal.replicas} control planes")
    current = _current(planes, goal)
    unsettled = [n.metadata.name for n in planes if n is not current and not settled(n)]
    if unsettled:
        return Hold("ControlPlanesSettle", f"not as they shall be yet: {', '.join(unsettled)}")
    return None if current is None else _next(current, nodes, goal)


def settled(node: LegacyNode) -> bool:
    """Whether the node runs what its spec says, and is well."""
    if not (_holds(node, "PlanApplied") and _holds(node, "ServicesHealthy")):
        return False
    running, have = node.status.running, preparation_of(node)
    kubeadm = "--enable-bootstrap-token-auth" in running.get("kube-apiserver", {})
    signs = "--cluster-signing-cert-file" in running.get("kube-controller-manager", {})
    name = running.get("etcd", {}).get("--name")
    expected = have.etcd_name or f"etcd-{node.metadata.name}"
    return kubeadm == signs == have.kubeadm and name == expected


def _holds(node: LegacyNode, type_: str) -> bool:
    """Whether the condition tells so of the spec as it is now."""
    condition = find_condition(node.status.conditions, type_)
    current = condition is not None and condition.observed_generation == node.metadata.generation
    return current and condition is not None and condition.status == "True"


def preparation_of(node: LegacyNode) -> NodePreparation:
    return node.spec.preparation or NOTHING


def target(node: LegacyNode, goal: Goal) -> NodePreparation:
    """What the node shall be in the end."""
    have = preparation_of(node)
    if goal.back:
        return NodePreparation(server_names=have.server_names)
    known = {*goal.server_names} <= {*have.server_names}
    names = have.server_names if known else goal.server_names
    return NodePreparation(etcd_name=node.metadata.name, server_names=names, kubeadm=True)


def _current(planes: Iterable[LegacyNode], goal: Goal) -> LegacyNode | None:
    """The one that was begun, else the next one."""
    open_ = [node for node in planes if preparation_of(node) != target(node, goal)]

    def rank(node: LegacyNode) -> tuple[bool, bool, str]:
        endpoint = node.status.address == goal.endpoint
        return (not preparation_of(node).drained, endpoint != goal.back, node.metadata.name)

    return min(open_, key=rank, default=None)


def _next(node: LegacyNode, nodes: Sequence[LegacyNode], goal: Goal) -> Change | Hold:
    have, want = preparation_of(node), target(node, goal)
    services = msgspec.structs.replace(have, kubeadm=want.kubeadm, server_names=want.server_names)
    renamed = msgspec.structs.replace(services, etcd_name=want.etcd_name)
    if not settled(node):
        if goal.back and have.kubeadm and _holds(node, "PlanApplied"):
            return Change(node, renamed, "goes back to what it was, unwell as it is")
        return Hold("ControlPlaneSettles", f"{node.metadata.name} is not as it shall be yet")
    if have == renamed:
        return Change(node, want, "is back in use")
    if not have.drained:
        drained = msgspec.structs.replace(have, drained=True, detour=_detour(node, nodes))
        return Change(node, drained, "is being drained")
    users = [
        n.metadata.name
        for n in nodes
        if f"{node.status.address}:{API_PORT}" in n.status.api_servers
    ]
    if users:
        return Hold("ApiServerDrains", f"still used by {', '.join(users)}")
    if have != services:
        return Change(node, services, "restarts its API server and its controller manager")
    return Change(node, renamed, "restarts its etcd under another name")


def _detour(node: LegacyNode, nodes: Iterable[LegacyNode]) -> str | None:
    """A control plane that can answer for it, if there is one."""
    address = node.status.address
    able = [
        other.status.address
        for other in nodes
        if other is not node
        and address in preparation_of(other).server_names
        and not preparation_of(other).drained
    ]
    return min(able, default=None)
