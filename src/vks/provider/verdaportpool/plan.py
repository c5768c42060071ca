"""Pure: what has to change so that there is one VerdaPort per slot, and the pool's status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vks.kube.conditions import ConditionSet
from vks.kube.objects import find_condition, owner_reference
from vks.resources.contract import CLUSTER_NAME_LABEL, READY, WATCH_FILTER_LABEL
from vks.resources.verdaport import (
    PORT_POOL_LABEL,
    SlotSpec,
    VerdaPort,
    VerdaPortPool,
    port_name,
)


@dataclass(frozen=True)
class Plan:
    """VerdaPorts to apply, and those to retire: they go when their server has gone."""

    apply: tuple[dict[str, Any], ...]
    retire: tuple[VerdaPort, ...]


def plan(pool: VerdaPortPool, ports: Iterable[VerdaPort]) -> Plan:
    """A slot that is to have another address is retired and comes back as a new one."""
    present = {port.metadata.name: port for port in ports}
    slots = {} if pool.deleting else {_name(pool, slot): slot for slot in pool.spec.slots}
    retire = [
        port
        for name, port in present.items()
        if not port.deleting and (name not in slots or not _same(port, slots[name], pool))
    ]
    leaving = {port.metadata.name for port in retire}
    leaving |= {name for name, port in present.items() if port.deleting}
    wanted = [
        body(pool, slot)
        for name, slot in slots.items()
        if name not in leaving and _pin(present.get(name)) != (True, slot.zone)
    ]
    return Plan(tuple(wanted), tuple(retire))


def _name(pool: VerdaPortPool, slot: SlotSpec) -> str:
    return port_name(pool.metadata.name, slot.name)


def _same(port: VerdaPort, slot: SlotSpec, pool: VerdaPortPool) -> bool:
    return (port.spec.address, port.spec.subnet_id) == (slot.address, pool.spec.subnet_id)


def _pin(port: VerdaPort | None) -> tuple[bool, str | None]:
    """All that may change of a slot that is there."""
    return (port is not None, port.spec.zone if port is not None else None)


def body(pool: VerdaPortPool, slot: SlotSpec) -> dict[str, Any]:
    """What the pool's controller owns of a VerdaPort; the claim is not its business."""
    spec: dict[str, Any] = {
        "clusterName": pool.spec.cluster_name,
        "poolRef": {"name": pool.metadata.name},
    }
    given = {"subnetID": pool.spec.subnet_id, "address": slot.address, "zone": slot.zone}
    spec |= {name: value for name, value in given.items() if value is not None}
    labels = {CLUSTER_NAME_LABEL: pool.spec.cluster_name, PORT_POOL_LABEL: pool.metadata.name}
    if WATCH_FILTER_LABEL in pool.metadata.labels:
        labels[WATCH_FILTER_LABEL] = pool.metadata.labels[WATCH_FILTER_LABEL]
    return {
        "metadata": {
            "name": _name(pool, slot),
            "namespace": pool.metadata.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference(pool, controller=True)],
        },
        "spec": spec,
    }


def counts(ports: Sequence[VerdaPort]) -> dict[str, int]:
    """The numbers in the pool's status."""
    states = [port.status.state for port in ports]
    return {"total": len(ports), "free": states.count("Free"), "inUse": states.count("InUse")}


def set_ready(pool: VerdaPortPool, ports: Sequence[VerdaPort], conditions: ConditionSet) -> None:
    """Ready when every slot is reserved; otherwise it says what one of them waits for."""
    if pool.deleting:
        conditions.set(READY, False, "Deleting", f"{len(ports)} slots left")
        return
    by_name = {port.metadata.name: port for port in ports}
    for slot in pool.spec.slots:
        port = by_name.get(_name(pool, slot))
        ready = find_condition(port.status.conditions, READY) if port is not None else None
        if ready is None or ready.status != "True":
            reason, message = (ready.reason, ready.message) if ready else ("Reserving", "")
            conditions.set(
                READY, False, reason, f"slot {slot.name}: {message or 'not reserved yet'}"
            )
            return
    conditions.set(READY, True, "Reserved", f"{len(pool.spec.slots)} slots")
