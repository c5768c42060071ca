"""Pure: how far the replacement or the deletion of one node is, and whether it may begin."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import find_condition
from vks.resources.clusterapi import Machine
from vks.resources.contract import READY
from vks.resources.operation import Operation
from vks.service.managedcluster.observe import Observed
from vks.service.names import POOL_LABEL
from vks.service.operation.step import Step, machines_wait


def may_recreate(machine: Machine, seen: Observed) -> str:
    """Why it may not begin yet; empty: it may. A control plane goes only while all the others
    are well and stay: never two at a time."""
    if not machine.is_control_plane:
        return ""
    others = [
        other
        for other in seen.machines
        if other.is_control_plane and other.metadata.uid != machine.metadata.uid
    ]
    ill = [other.metadata.name for other in others if other.deleting or not is_ready(other)]
    if ill:
        return f"waits for the other control planes: {', '.join(ill)}"
    return "" if len(others) > 1 else "the other control planes would have no majority"


def is_ready(machine: Machine) -> bool:
    ready = find_condition(machine.status.conditions, READY)
    return ready is not None and ready.status == "True"


def removal_steps(operation: Operation, machine: Machine | None, seen: Observed) -> list[Step]:
    """The node goes; then its place is taken, or the pool is whole without it."""
    if machine is None:
        removed = Step("Removal", 1, 1)
    else:
        removed = Step("Removal", 0, 1, _says(machine, seen))
    wanted, machines = _siblings(operation, seen)
    ready = sum(1 for m in machines if is_ready(m) and not m.deleting)
    whole = machine is None and ready >= wanted and len(machines) == wanted
    title = "Replacement" if operation.spec.type == "RecreateNode" else "Pool"
    if whole:
        return [removed, Step(title, 1, 1, f"{ready}/{wanted} ready")]
    waits = machines_wait(seen, [m for m in machines if not m.deleting])
    message = "; ".join(text for text in (f"{ready}/{wanted} ready", waits) if text)
    return [removed, Step(title, 0, 1, message)]


def _says(machine: Machine, seen: Observed) -> str:
    if not machine.deleting:
        return may_recreate(machine, seen)
    condition = find_condition(machine.status.conditions, "Deleting")
    return " ".join(condition.message.split()) if condition else ""


def _siblings(operation: Operation, seen: Observed) -> tuple[int, list[Machine]]:
    """How many nodes the node's pool (or the control plane) shall have, and those there are."""
    pool = operation.spec.pool_name
    if not pool:
        wanted = seen.cluster.spec.control_plane.replicas if seen.cluster else 0
        return wanted, [m for m in seen.machines if m.is_control_plane]
    found = next((p for p in seen.pools if p.spec.pool_name == pool), None)
    return (found.size if found else 0), _of_pool(pool, seen.machines)


def _of_pool(pool: str, machines: Iterable[Machine]) -> list[Machine]:
    return [m for m in machines if m.metadata.labels.get(POOL_LABEL) == pool]
