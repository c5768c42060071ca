"""Pure: what a LegacyCluster's status says, from its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from vks.kube.conditions import ConditionSet, conditions_body
from vks.kube.objects import find_condition
from vks.legacy.plan.controlplane import API_PORT
from vks.legacy.server.conditions import (
    ADD_ONS_APPLIED,
    AGENT_CONNECTED,
    AGENTS_CONNECTED,
    CONTROL_PLANE_READY,
    NETWORK_READY,
    OWNER_DISAPPEARED,
)
from vks.legacy.server.legacycluster.decide import up_to_date
from vks.legacy.server.nodes import is_true, ready, serving, voters
from vks.resources.contract import READY
from vks.resources.fields import Endpoint
from vks.resources.legacycluster import (
    LegacyCluster,
    LegacyClusterStatus,
    LegacyControlPlaneStatus,
)
from vks.resources.legacynode import LegacyNode


def founder_of(cluster: LegacyCluster, nodes: Sequence[LegacyNode]) -> str:
    """Once the cluster has begun, its founder stays the founder; before, it is a control plane
    that exists."""
    status = cluster.status
    alive = [node.metadata.name for node in nodes if node.is_control_plane and not node.deleting]
    if status.initialized or status.founder in alive:
        return status.founder
    return min(alive, default="")


def begun(cluster: LegacyCluster, nodes: Sequence[LegacyNode]) -> bool:
    """Whether the founder's services have answered, now or ever."""
    founder = next((n for n in nodes if n.metadata.name == cluster.status.founder), None)
    return cluster.status.initialized or (founder is not None and serving(founder))


def endpoint_of(cluster: LegacyCluster, nodes: Sequence[LegacyNode]) -> Endpoint | None:
    """The API server that users are sent to. Without a load balancer it is one control plane's,
    the same one as long as that answers."""
    if cluster.spec.endpoint is not None:
        return cluster.spec.endpoint
    addresses = [n.status.address for n in voters(nodes) if serving(n) and not n.deleting]
    current = cluster.status.endpoint
    if not addresses or (current is not None and current.host in addresses):
        return current
    return Endpoint(host=min(addresses), port=API_PORT)


def new_status(cluster: LegacyCluster, nodes: Sequence[LegacyNode]) -> LegacyClusterStatus:
    """The status without conditions and network."""
    wanted = cluster.spec.control_plane
    planes = [node for node in nodes if node.is_control_plane and not node.deleting]
    running = [node for node in planes if ready(node)]
    current = [node for node in planes if up_to_date(node, wanted)]
    return msgspec.structs.replace(
        cluster.status,
        observed_generation=cluster.metadata.generation,
        founder=founder_of(cluster, nodes),
        initialized=begun(cluster, nodes),
        endpoint=endpoint_of(cluster, nodes),
        control_plane=LegacyControlPlaneStatus(
            replicas=sum(node.is_control_plane for node in nodes),
            ready_replicas=len(running),
            up_to_date_replicas=len(current),
            version=min((node.status.version for node in running), key=_order, default=""),
        ),
    )


def set_conditions(
    cluster: LegacyCluster,
    status: LegacyClusterStatus,
    nodes: Sequence[LegacyNode],
    conditions: ConditionSet,
) -> None:
    """Network and add-ons have been set before."""
    wanted = cluster.spec.control_plane.replicas - len(cluster.staying())
    plane = status.control_plane
    counted = f"{plane.ready_replicas}/{wanted} ready"
    enough = plane.replicas == wanted or (plane.replicas > wanted and bool(cluster.spec.guests))
    settled = enough and plane.replicas == plane.ready_replicas == plane.up_to_date_replicas
    if not status.initialized:
        conditions.set(CONTROL_PLANE_READY, False, "WaitingForInitialization", counted)
    elif settled:
        conditions.set(CONTROL_PLANE_READY, True, "ControlPlaneReady", counted)
    else:
        conditions.set(CONTROL_PLANE_READY, False, "ScalingOrReplacing", counted)
    _set_connected(status, nodes, conditions)
    parts = (NETWORK_READY, AGENTS_CONNECTED, CONTROL_PLANE_READY, ADD_ONS_APPLIED)
    missing = [c for c in map(conditions.get, parts) if c is None or c.status != "True"]
    if not missing:
        conditions.set(READY, True, "ClusterReady")
    elif missing[0] is None:
        conditions.set(READY, False, "Waiting")
    else:
        conditions.set(READY, False, missing[0].reason, missing[0].message)


def connected(nodes: Sequence[LegacyNode]) -> tuple[int, int]:
    """How many agents are connected, of how many that were once."""
    expected = [node for node in nodes if node.status.plan and not node.deleting]
    return sum(is_true(node, AGENT_CONNECTED) for node in expected), len(expected)


def _set_connected(
    status: LegacyClusterStatus, nodes: Sequence[LegacyNode], conditions: ConditionSet
) -> None:
    present, expected = connected(nodes)
    message = f"{present}/{expected} agents connected"
    if status.initialized and present == 0:
        conditions.set(AGENTS_CONNECTED, False, OWNER_DISAPPEARED, message)
    elif present < expected:
        lost = [
            node.metadata.name
            for node in nodes
            if (c := find_condition(node.status.conditions, AGENT_CONNECTED)) is not None
            and c.reason == "AgentDisconnected"
        ]
        message = f"{message}; not connected: {', '.join(lost)}"
        conditions.set(AGENTS_CONNECTED, False, "AgentsDisconnected", message)
    else:
        conditions.set(AGENTS_CONNECTED, True, "AgentsConnected", message)


def _order(version: str) -> list[int]:
    return [int(part) for part in version.lstrip("v").split(".") if part.isdigit()]


def status_body(status: LegacyClusterStatus, conditions: ConditionSet) -> dict[str, Any]:
    """The status as an apply body: whatever was never set is left out."""
    body: dict[str, Any] = {
        name: value for name, value in msgspec.to_builtins(status).items() if value is not None
    }
    body["conditions"] = conditions_body(conditions.all())
    return body
