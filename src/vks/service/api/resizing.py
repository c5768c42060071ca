"""Pure: what a change of a static IP pool makes of the slots that are there.

Slots keep their names, and with them their ports; a slot that is in use cannot be removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vks.resources.nodepool import StaticIPSpec
from vks.resources.verdaport import SlotSpec, VerdaPort
from vks.service.api.findings import Findings
from vks.service.api.static_ip_models import StaticIP
from vks.service.api.staticip import (
    Addresses,
    check_enough,
    check_slots,
    slots_asked_for,
)

FIELD = "staticIP"


def check_resize(
    request: StaticIP,
    static: StaticIPSpec,
    ports: dict[str, VerdaPort],
    addresses: Addresses,
    zones: Sequence[str],
    replicas: int,
    found: Findings,
) -> list[SlotSpec]:
    """The pool's new slots, or findings. `ports` are those of the pool by slot, `zones` and
    `replicas` what the pool is to have."""
    subnet = addresses.subnet(request.subnet)
    if request.subnet is not None and (subnet is None or subnet.id != static.subnet_id):
        found.bad(f"{FIELD}.subnet", "the subnet of a pool cannot be changed")
    slots = resize(request, static.slots, ports, found)
    own = {port.status.address for port in ports.values()} | {s.address for s in static.slots}
    others = {ip: by for ip, by in addresses.taken.items() if ip not in own}
    seen = Addresses(addresses.known, addresses.subnets, others)
    fixed = StaticIP.model_construct(**{**request.__dict__, "subnet": static.subnet_id})
    if request.count is None:
        check_slots(FIELD, fixed, zones, seen, found)
    check_enough(f"{FIELD}.{request.form}", slots, replicas, found)
    return slots


def resize(
    request: StaticIP, present: Sequence[SlotSpec], ports: dict[str, VerdaPort], found: Findings
) -> list[SlotSpec]:
    """The slots that there are to be."""
    name = f"{FIELD}.{request.form}"
    if request.count is not None:
        return _recount(name, request.count, present, ports, found)
    left, number = list(present), _highest(present)
    slots: list[SlotSpec] = []
    for wanted in slots_asked_for(request):
        match = next((slot for slot in left if _matches(slot, wanted, ports)), None)
        if match is not None:
            left.remove(match)
            slots.append(SlotSpec(name=match.name, address=match.address, zone=wanted.zone))
        else:
            number += 1
            slots.append(SlotSpec(name=str(number), address=wanted.address, zone=wanted.zone))
    for slot in left:
        node, port = _node(ports.get(slot.name)), ports.get(slot.name)
        if node is not None and port is not None:
            message = f"{port.status.address} cannot be removed: it is in use by node {node}"
            found.bad(name, message)
    return slots


def _recount(
    name: str,
    count: int,
    present: Sequence[SlotSpec],
    ports: dict[str, VerdaPort],
    found: Findings,
) -> list[SlotSpec]:
    """More slots are appended; of fewer the free ones go, the last first."""
    if count >= len(present):
        first = _highest(present) + 1
        return [*present, *(SlotSpec(name=str(first + n)) for n in range(count - len(present)))]
    free = [slot for slot in present if _node(ports.get(slot.name)) is None]
    surplus = len(present) - count
    if surplus > len(free):
        used = len(present) - len(free)
        found.bad(name, f"{used} slots are in use by nodes, which {count} are too few for")
    going = {slot.name for slot in free[::-1][:surplus]}
    return [slot for slot in present if slot.name not in going]


def _matches(slot: SlotSpec, wanted: SlotSpec, ports: dict[str, VerdaPort]) -> bool:
    if wanted.address is None:
        return slot.address is None and slot.zone == wanted.zone
    port = ports.get(slot.name)
    return wanted.address in (slot.address, port.status.address if port is not None else None)


def _node(port: VerdaPort | None) -> str | None:
    claim = port.spec.claim if port is not None else None
    return claim.name if claim is not None else None


def _highest(slots: Iterable[SlotSpec]) -> int:
    return max((int(slot.name) for slot in slots if slot.name.isdecimal()), default=0)
