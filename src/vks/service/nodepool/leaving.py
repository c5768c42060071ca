"""Nodes that were deleted one by one: scaling down takes exactly these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.resources.clusterapi import Machine
from vks.resources.contract import DELETE_MACHINE_ANNOTATION
from vks.resources.nodepool import NodePool
from vks.service.nodepool.zones import wanted


async def mark(client: Client, pool: NodePool, machines: Iterable[Machine], manager: str) -> None:
    """Tells Cluster API which machines to take first, before it is told how many to take."""
    for machine in machines:
        meta = machine.metadata
        if meta.name not in pool.spec.leaving or DELETE_MACHINE_ANNOTATION in meta.annotations:
            continue
        patch = {"metadata": {"annotations": {DELETE_MACHINE_ANNOTATION: ""}}}
        try:
            await client.merge_patch(
                Machine, meta.name, meta.namespace, patch, field_manager=manager
            )
        except NotFound:
            continue


def spread(
    pool: NodePool, current: Mapping[str, int], machines: Iterable[Machine]
) -> dict[str, int]:
    """Replicas per zone, `current` being what each is asked to hold. A zone whose node was
    deleted has one less; nothing is moved to even that out before the pool is scaled again. An
    autoscaled pool's numbers are within the autoscaler's bounds, whatever they add up to."""
    going = _yet_to_go(pool.spec.leaving, current, machines)
    left = {zone: count - going[zone] for zone, count in current.items()}
    fixed = pool.spec.autoscaling is None
    if fixed and set(left) == {*pool.spec.zones} and sum(left.values()) == pool.spec.replicas:
        return left
    return wanted(pool.spec, left)


def _yet_to_go(
    leaving: Sequence[str], current: Mapping[str, int], machines: Iterable[Machine]
) -> Counter[str]:
    """Per zone, how many of those that leave are still counted in `current`."""
    present = [machine for machine in machines if not machine.deleting]
    held = Counter(machine.spec.failure_domain for machine in present)
    named = Counter(m.spec.failure_domain for m in present if m.metadata.name in leaving)
    return Counter(
        {
            zone: max(0, count - max(0, held[zone] - current.get(zone, 0)))
            for zone, count in named.items()
        }
    )
