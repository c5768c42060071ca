"""How many of a pool's machines each zone gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from vks.resources.nodepool import NodePoolSpec
from vks.resources.verdaport import SlotSpec


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
    if not bounds and spec.static_ip is not None:
        return place(spec.replicas, spec.zones, current, spec.static_ip.slots)
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


def place(
    replicas: int, zones: Sequence[str], current: Mapping[str, int], slots: Iterable[SlotSpec]
) -> dict[str, int]:
    """Replicas per zone, as even as the slots that are pinned to zones allow.

    What fits nowhere is spread as if there were no pins; its machines say what they wait for.
    """
    even = distribute(replicas, zones, current)
    pinned, shared = supply(slots)
    if shared >= sum(max(0, count - pinned[zone]) for zone, count in even.items()):
        return even
    wanted = {zone: 0 for zone in zones}
    for _ in range(replicas):
        roomy = [zone for zone in zones if shared > 0 or wanted[zone] < pinned[zone]]
        chosen = min(
            roomy or zones, key=lambda zone: (wanted[zone], current.get(zone, 0) <= wanted[zone])
        )
        shared -= wanted[chosen] >= pinned[chosen]
        wanted[chosen] += 1
    return wanted | {zone: 0 for zone in current if zone not in wanted}


def supply(slots: Iterable[SlotSpec]) -> tuple[Counter[str], int]:
    """How many slots each zone has for itself, and how many all of them share."""
    listed = list(slots)
    pinned = Counter(slot.zone for slot in listed if slot.zone is not None)
    return pinned, sum(slot.zone is None for slot in listed)
