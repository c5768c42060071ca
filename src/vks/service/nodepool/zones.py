"""How many of a pool's machines each zone gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


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
