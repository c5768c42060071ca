"""What a change of a pool would do to its machines: a pure function.

It asks the builder of the objects itself: a machine is replaced exactly when the names of the
templates in its MachineDeployment would change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from vks.kube.objects import find_condition
from vks.resources.clusterapi import Machine, MachineDeployment
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool, NodePoolSpec
from vks.service.nodepool.zones import wanted
from vks.service.provisioners.capi.workers import pool_templates

#: Fields that reach machines which exist: on the node, or in what controllers do next; and the
#: name of a key, which no machine knows.
_NOT_ROLLING = (
    "labels",
    "taints",
    "replicas",
    "zones",
    "key_name",
    "autoscaling",
    "max_surge",
    "max_unavailable",
    "drain_timeout_seconds",
    "static_ip",
)


@dataclass(frozen=True)
class ZonePlan:
    """How many machines a zone has before and after."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class PoolPlan:
    """`replaced` go and are made anew `because` of these fields of the spec; `in_place` are the
    fields that change without that."""

    replaced: tuple[Machine, ...]
    because: tuple[str, ...]
    in_place: tuple[str, ...]
    zones: tuple[ZonePlan, ...]


def plan(
    cluster: ManagedCluster,
    pool: NodePool,
    after: NodePoolSpec,
    deployments: Iterable[MachineDeployment],
    machines: Iterable[Machine],
) -> PoolPlan:
    """`deployments` and `machines` are the pool's."""
    changed = [
        name
        for name in NodePoolSpec.__struct_fields__
        if getattr(pool.spec, name) != getattr(after, name)
    ]
    rolls = _templates(cluster, pool) != _templates(
        cluster, msgspec.structs.replace(pool, spec=after)
    )
    present = {d.spec.template.spec.failure_domain: d.spec.replicas for d in deployments}
    counts = wanted(after, present)
    replaced = tuple(
        machine
        for machine in sorted(machines, key=lambda machine: machine.metadata.name)
        if counts.get(machine.spec.failure_domain, 0) > 0 and (rolls or _outdated(machine))
    )
    return PoolPlan(
        replaced=replaced,
        because=tuple(name for name in changed if rolls and name not in _NOT_ROLLING),
        in_place=tuple(name for name in changed if not rolls or name in _NOT_ROLLING),
        zones=tuple(
            ZonePlan(zone, present.get(zone, 0), counts.get(zone, 0))
            for zone in sorted({*present, *counts})
        ),
    )


def _templates(cluster: ManagedCluster, pool: NodePool) -> list[str]:
    return [manifest.key.name for manifest in pool_templates(cluster, pool)]


def _outdated(machine: Machine) -> bool:
    """Whether an earlier change is about to replace it anyway."""
    condition = find_condition(machine.status.conditions, "UpToDate")
    return condition is not None and condition.status == "False"
