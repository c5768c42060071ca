"""Pure: which reserved address a new node of a pool gets."""

from __future__ import annotations

from collections.abc import Sequence

from vks.resources.legacycluster import LegacyGuest, LegacyPoolSpec
from vks.resources.legacynode import LegacyNode
from vks.resources.verdaport import SlotSpec


class FreeSlots:
    """Those that nobody has. `nodes` are all of the pool, `kept` those that stay: a node that comes
    where one leaves waits for its address. `guests` have some of them, too."""

    def __init__(
        self,
        pool: LegacyPoolSpec,
        nodes: Sequence[LegacyNode],
        kept: Sequence[LegacyNode],
        guests: Sequence[LegacyGuest] = (),
    ) -> None:
        static, taken = pool.static_ip, {node.spec.slot for node in nodes}
        taken |= {guest.slot for guest in guests if guest.pool == pool.name}
        self.reserved = static is not None
        self._free = [s for s in static.slots if s.name not in taken] if static else []
        self._awaited = {n.spec.zone for n in nodes if n.spec.slot is not None and n not in kept}

    def has_room(self, zone: str) -> bool:
        """Whether one node more could come; always without reserved addresses."""
        return not self.reserved or self._best(zone) is not None

    def take(self, zone: str) -> str | None:
        """The name of a slot, which is free no more; those that are pinned to the zone first."""
        slot = None if zone in self._awaited else self._best(zone)
        if slot is None:
            return None
        self._free.remove(slot)
        return slot.name

    def _best(self, zone: str) -> SlotSpec | None:
        fitting = [slot for slot in self._free if slot.zone in (None, zone)]
        return min(fitting, key=lambda slot: slot.zone is None, default=None)
