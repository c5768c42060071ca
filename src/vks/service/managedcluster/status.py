"""What a ManagedCluster's status says, from what exists: a pure function."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from vks.kube.conditions import conditions_body, set_condition
from vks.kube.objects import Condition, find_condition
from vks.resources.contract import READY
from vks.resources.managedcluster import ManagedCluster
from vks.service.managedcluster.observe import Observed
from vks.service.nodepool.status import BRING_A_NETWORK, WAITING_FOR_POD_NETWORK

INFRASTRUCTURE_READY = "InfrastructureReady"
CONTROL_PLANE_READY = "ControlPlaneReady"
ADD_ONS_READY = "AddOnsReady"
#: True from the moment when everything was ready for the first time.
PROVISIONED = "Provisioned"


def status_of(
    cluster: ManagedCluster, seen: Observed, addons: tuple[bool, str], now: datetime
) -> dict[str, Any]:
    """The status body; `addons` is whether cluster DNS runs, and what it waits for."""
    conditions = cluster.status.conditions
    generation = cluster.metadata.generation

    def put(type_: str, status: bool, reason: str, message: str = "") -> None:
        nonlocal conditions
        conditions = set_condition(
            conditions, type_, status, reason, message, now=now, observed_generation=generation
        )

    infrastructure = _infrastructure(seen)
    put(INFRASTRUCTURE_READY, *infrastructure)
    put(CONTROL_PLANE_READY, *_control_plane(seen))
    ready, waits = addons
    put(ADD_ONS_READY, ready, "AddOnsRunning" if ready else "WaitingForAddOns", waits)
    missing = [
        condition
        for condition in conditions
        if condition.type in (INFRASTRUCTURE_READY, CONTROL_PLANE_READY, ADD_ONS_READY)
        and condition.status != "True"
    ]
    if cluster.deleting:
        left = ", ".join(f"{count} {kind}" for kind, count in seen.remaining().items())
        put(READY, False, "Deleting", f"left: {left}" if left else "")
    elif missing:
        put(READY, False, missing[0].reason, missing[0].message)
    else:
        put(READY, True, "ClusterReady")
    if not cluster.deleting and all(c.reason == WAITING_FOR_POD_NETWORK for c in missing):
        put(PROVISIONED, True, "ClusterReady")
    plane = seen.control_plane
    status: dict[str, Any] = {
        "phase": _phase(cluster, seen, conditions),
        "observedGeneration": generation,
        "controlPlane": {
            "replicas": plane.status.replicas if plane else 0,
            "readyReplicas": plane.status.ready_replicas if plane else 0,
            "version": plane.status.version if plane else "",
        },
        "conditions": conditions_body(conditions),
    }
    if seen.endpoint is not None:
        status["endpoint"] = {"host": seen.endpoint.host, "port": seen.endpoint.port}
    return status


def _phase(cluster: ManagedCluster, seen: Observed, conditions: tuple[Condition, ...]) -> str:
    if cluster.deleting:
        return "Deleting"
    ready, provisioned = find_condition(conditions, READY), find_condition(conditions, PROVISIONED)
    if ready is not None and (ready.status == "True" or ready.reason == WAITING_FOR_POD_NETWORK):
        return "Running"
    if provisioned is not None and provisioned.status == "True":
        return "Updating"
    return "Pending" if seen.root is None else "Provisioning"


def _infrastructure(seen: Observed) -> tuple[bool, str, str]:
    infrastructure = seen.infrastructure
    if infrastructure is None:
        return False, "WaitingForInfrastructure", ""
    found = find_condition(infrastructure.status.conditions, READY)
    if found is None:
        return False, "WaitingForInfrastructure", ""
    return found.status == "True", found.reason or "Unknown", found.message


def _control_plane(seen: Observed) -> tuple[bool, str, str]:
    plane = seen.control_plane
    if plane is None:
        return False, "WaitingForControlPlane", ""
    counted = f"{plane.status.ready_replicas}/{plane.spec.replicas} ready"
    if seen.control_plane_settled:
        return True, "ControlPlaneReady", counted
    if seen.control_plane_unconnected:
        return False, WAITING_FOR_POD_NETWORK, f"{counted}; {BRING_A_NETWORK}"
    if not seen.control_plane_initialized:
        return False, "WaitingForInitialization", counted
    return False, "ScalingOrRollingOut", counted
