"""Which zones have no room for a pool's machines: a pure function."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import find_condition
from vks.resources.clusterapi import Machine
from vks.resources.contract import READY
from vks.resources.verdamachine import VerdaMachine

#: What the provider says of a machine that waits for room: no host, no quota, no address or one
#: that somebody else holds. It tries again by itself.
NO_ROOM = ("NoRoomInZone", "QuotaExceeded", "NoFreeSlot", "PortInUse")


def shortage(machines: Iterable[Machine], servers: Iterable[VerdaMachine]) -> str:
    """One sentence on the zones that have no room; empty when all have."""
    by_name = {server.metadata.name: server for server in servers}
    waiting: dict[str, int] = {}
    why: dict[str, str] = {}
    for machine in machines:
        server = by_name.get(machine.spec.infrastructure_ref.name)
        ready = find_condition(server.status.conditions, READY) if server else None
        if ready is None or ready.status == "True" or ready.reason not in NO_ROOM:
            continue
        zone = machine.spec.failure_domain or "the region"
        waiting[zone] = waiting.get(zone, 0) + 1
        why[zone] = ready.message.splitlines()[0].rstrip(".") if ready.message else ready.reason
    return "; ".join(
        f"{zone} has no room for {_nodes(waiting[zone])}: {why[zone]}" for zone in sorted(waiting)
    )


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"
