"""Pure: which slot is whose, which one to take, and the state that a slot is in."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

from vks.kube.objects import KubeObject, find_condition
from vks.resources.contract import READY
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import SlotState, VerdaPort


def is_free(port: VerdaPort) -> bool:
    """Whether the slot may be claimed: it is reserved in the cloud, nobody's, and stays."""
    ready = find_condition(port.status.conditions, READY)
    reserved = ready is not None and ready.status == "True"
    return reserved and port.spec.claim is None and not port.deleting


def suits(port: VerdaPort, zone: str | None) -> bool:
    """Whether a server in `zone` may have the slot."""
    return port.spec.zone is None or port.spec.zone == zone


def held_by(ports: Iterable[VerdaPort], owner: str) -> VerdaPort | None:
    """The slot that the owner has."""
    return next(
        (p for p in ports if p.spec.claim is not None and p.spec.claim.owner == owner), None
    )


def choose(
    ports: Iterable[VerdaPort], zone: str | None, owner: str, preferred: str | None = None
) -> VerdaPort | None:
    """The free slot that the owner is to claim: the one it chose before if that is free still,
    else one that is pinned to the zone (leaving the others to those that need them), else the one
    that was freed in this zone last, which is the predecessor's.

    Among equals owners choose differently, so that a whole pool that starts at once does not
    queue up at its first slot.
    """

    def rank(port: VerdaPort) -> tuple[bool, bool, bool, bytes, bytes]:
        spread = hashlib.sha256(f"{owner}/{port.metadata.uid}".encode()).digest()
        return (
            port.metadata.name != preferred,
            port.spec.zone is None,
            port.spec.last_zone != (zone or ""),
            _descending(_freed(port)),
            spread,
        )

    return min((p for p in ports if is_free(p) and suits(p, zone)), key=rank, default=None)


def _freed(port: VerdaPort) -> str:
    """Since when the slot is free; its status may not say yet that it is."""
    return port.status.since if port.status.state == "Free" else "9"


def _descending(text: str) -> bytes:
    return bytes(255 - byte for byte in text.encode())


def predecessor(
    ports: Iterable[VerdaPort], leaving: Collection[str], zone: str | None
) -> VerdaPort | None:
    """A slot that a machine of the zone is about to give back; `leaving` are the names of slots
    whose holders are being deleted. Whoever comes now replaces that machine, and waits for its
    address rather than to take another one."""
    return next(
        (
            port
            for port in ports
            if port.metadata.name in leaving
            and port.spec.last_zone == (zone or "")
            and suits(port, zone)
            and not port.deleting
        ),
        None,
    )


def why_none(ports: Sequence[VerdaPort], pool: str, zone: str | None) -> str:
    """One sentence on why there is no slot to claim."""
    where = f" for zone {zone}" if zone else ""
    fitting = [port for port in ports if suits(port, zone) and not port.deleting]
    if not fitting:
        return f"port pool {pool} has no slot{where}"
    used = sum(port.spec.claim is not None for port in fitting)
    said = f"no free slot in port pool {pool}{where}: {used} of {len(fitting)} in use"
    unusable = next((p for p in fitting if p.spec.claim is None and not is_free(p)), None)
    if unusable is None:
        return said
    ready = find_condition(unusable.status.conditions, READY)
    return f"{said}, {unusable.metadata.name}: {ready.message if ready else 'not reserved yet'}"


def state_of(port: VerdaPort, holder: KubeObject | None) -> SlotState:
    """`holder` is the object that the claim names, None when it does not exist."""
    if port.deleting:
        return "Retiring"
    if not port.status.port_id:
        return "Reserving"
    if port.spec.claim is None:
        return "Free"
    if holder is None or holder.deleting:
        return "Releasing"
    booted = isinstance(holder, VerdaMachine) and holder.status.server_id is None
    return "Claimed" if booted else "InUse"
