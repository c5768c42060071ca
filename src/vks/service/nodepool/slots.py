"""Pure: how the machines of a pool with static addresses use its slots, zone by zone.

A pool is one MachineDeployment per zone, and a slot that is not pinned serves all of them. So the
zones must not ask for more machines at a time than there are slots: what has no slot would wait
for one that only the roll-out it holds up could free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vks.resources.verdaport import SlotSpec
from vks.service.nodepool.zones import supply


def surging(desired: Mapping[str, int], slots: Iterable[SlotSpec]) -> frozenset[str]:
    """The zones that may have one machine more than desired while they roll: each of them has a
    spare slot, its own or one that it shares with no other of them."""
    pinned, shared = supply(slots)
    spare = shared - sum(max(0, count - pinned[zone]) for zone, count in desired.items())
    found = set()
    for zone, count in desired.items():
        if not count:
            continue
        if pinned[zone] > count:
            found.add(zone)
        elif spare > 0:
            spare -= 1
            found.add(zone)
    return frozenset(found)
