"""How many of a pool's machines each zone gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vks.resources.nodepool import NodePoolSpec


class Bounds(NamedTuple):
    """How few and how many machines the autoscaler may leave and make in one zone."""

    min: int
    max: int

    @property
    def scalable(self) -> bool:
        return self.min < self.max


def bounds_of(spec: NodePoolSpec) -> dict[str, Bounds]:
    """An autoscaled pool's bounds, spread over its zones: they add up to the pool's own. Empty for
    a pool whose size is fixed."""
    scaling = spec.autoscaling
    if scaling is None:
        return {}
    least = distribute(scaling.min, spec.zones, {})
    most = distribute(scaling.max, spec.zones, {})
    return {zone: Bounds(least[zone], most[zone]) for zone in spec.zones}


def wanted(spec: NodePoolSpec, current: Mapping[str, int]) -> dict[str, int]:
    """Replicas per zone. What the autoscaler chose within its bounds stays."""
    bounds = bounds_of(spec)
    if not bounds:
        return distribute(spec.replicas, spec.zones, current)
    start = distribute(spec.replicas, spec.zones, {})
    held = {zone: current.get(zone, start[zone]) for zone in spec.zones}
    chosen = {zone: min(max(held[zone], low), high) for zone, (low, high) in bounds.items()}
    return chosen | {zone: 0 for zone in current if zone not in chosen}


def distribute(replicas: int, zones: Sequence[str], current: Mapping[str, int]) -> dict[str, int]:
    """Replicas per zone: none has more than one above another, and as few move as possible.

    `current` is what each zone is asked to hold now. Zones that hold machines and are not wanted
    any more are in the answer with 0. The uneven rest stays where it is, else goes to the first
    zones in the order given, so that the answer for its own answer is itself.
    """
    base, rest = divmod(replicas, len(zones))
    fullest = sorted(
        range(len(zones)), key=lambda index: (current.get(zones[index], 0) <= base, index)
    )
    one_more = {zones[index] for index in fullest[:rest]}
    wanted = {zone: base + (zone in one_more) for zone in zones}
    return wanted | {zone: 0 for zone in current if zone not in wanted}
