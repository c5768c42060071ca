"""What a NodePool's status says, from its MachineDeployments: a pure function."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from vks.kube.conditions import conditions_body, set_condition
from vks.kube.objects import find_condition
from vks.resources.clusterapi import MachineDeployment
from vks.resources.contract import READY
from vks.resources.nodepool import NodePool
from vks.resources.verdaport import VerdaPortPool

#: False while a zone has no room for a machine, with the zones and the cloud's reason.
CAPACITY_AVAILABLE = "CapacityAvailable"
RESERVING = "ReservingAddresses"
#: All that VKS does is done: the rest is for whoever asked for `cni: none`.
WAITING_FOR_POD_NETWORK = "WaitingForPodNetwork"
BRING_A_NETWORK = "the nodes wait for a pod network of yours"


def status_of(
    pool: NodePool,
    deployments: Iterable[MachineDeployment],
    desired: Mapping[str, int],
    waits_for: str,
    short: str,
    now: datetime,
    changed: Collection[str] = (),
    reserving: str = "",
    unconnected: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The status body. `waits_for` is why nothing happens yet, empty when something does;
    `short` is which zones have no room, empty when all have; `changed` are the zones that are yet
    to roll, `reserving` is which static address is not reserved yet; `unconnected` is how many
    nodes of a zone lack nothing but a pod network of the user's."""
    by_zone: dict[str, MachineDeployment] = {
        deployment.spec.template.spec.failure_domain: deployment for deployment in deployments
    }
    zones: list[dict[str, Any]] = [
        {
            "name": zone,
            "desired": desired.get(zone, 0),
            "replicas": by_zone[zone].status.replicas if zone in by_zone else 0,
            "readyReplicas": by_zone[zone].status.ready_replicas if zone in by_zone else 0,
        }
        for zone in sorted({*desired, *by_zone})
    ]
    replicas = sum(zone["replicas"] for zone in zones)
    ready_replicas = sum(zone["readyReplicas"] for zone in zones)
    waiting = waits_for or changed or reserving
    lacking = unconnected or {}
    settled = not waiting and all(
        zone in by_zone and _settled(by_zone[zone], count, lacking.get(zone, 0))
        for zone, count in desired.items()
    )
    counted = f"{ready_replicas}/{sum(desired.values())} ready"
    if pool.deleting:
        phase, condition = "Deleting", (False, "Deleting", f"{replicas} machines left")
    elif waits_for:
        phase, condition = "Pending", (False, "Waiting", waits_for)
    elif settled and any(lacking.values()):
        condition = (False, WAITING_FOR_POD_NETWORK, f"{counted}; {BRING_A_NETWORK}")
        phase = "Running"
    elif settled:
        phase, condition = "Running", (True, "AllNodesReady", counted)
    elif reserving:
        phase, condition = "Scaling", (False, RESERVING, reserving)
    elif short:
        phase, condition = "Scaling", (False, "NoRoomInZone", f"{counted}; {short}")
    else:
        phase, condition = "Scaling", (False, "Scaling", counted)
    conditions = pool.status.conditions
    room = (False, "NoRoomInZone", short) if short else (True, "AllZonesHaveRoom", "")
    for type_, said in ((READY, condition), (CAPACITY_AVAILABLE, room)):
        conditions = set_condition(
            conditions, type_, *said, now=now, observed_generation=pool.metadata.generation
        )
    return {
        "phase": phase,
        "observedGeneration": pool.metadata.generation,
        "replicas": replicas,
        "readyReplicas": ready_replicas,
        "zones": zones,
        "conditions": conditions_body(conditions),
    }


def reserving_of(pool: NodePool, ports: VerdaPortPool | None) -> str:
    """Which of the pool's addresses is not reserved and why, empty when all are."""
    if pool.spec.static_ip is None or pool.deleting:
        return ""
    ready = find_condition(ports.status.conditions, READY) if ports is not None else None
    if ready is None or ports is None or ready.observed_generation < ports.metadata.generation:
        return "the addresses are being reserved"
    return "" if ready.status == "True" else ready.message


def _settled(deployment: MachineDeployment, wanted: int, lacking: int) -> bool:
    status = deployment.status
    return (
        status.observed_generation >= deployment.metadata.generation
        and deployment.spec.replicas == wanted
        and status.replicas == status.up_to_date_replicas == wanted
        and status.ready_replicas + lacking == wanted
    )
