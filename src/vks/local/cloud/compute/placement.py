"""The scheduler: which of the simulated hosts a server lands on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vks.local.cloud.compute.tables import ServerGroup


class Placed(NamedTuple):
    """Where a server is."""

    host: str
    zone: str
    group_id: str | None


def choose_host(
    zones: Mapping[str, Sequence[str]],
    servers: Sequence[Placed],
    zone: str | None,
    group: ServerGroup | None,
) -> tuple[str, str] | None:
    """(zone, host) for a new server among the existing ones; None when no host is valid.

    Fewest servers of the group first, then the emptiest zone and host, so that servers spread
    as Nova's weighers spread them.
    """
    members = Counter(server.host for server in servers if group and server.group_id == group.id)
    load = Counter(server.host for server in servers)
    zone_load = Counter(server.zone for server in servers)
    wanted = [zone] if zone else list(zones)
    candidates = [(name, host) for name in wanted for host in zones.get(name, ())]
    if group and group.policy == "anti-affinity":
        limit = group.max_server_per_host or 1
        candidates = [(name, host) for name, host in candidates if members[host] < limit]
    if group and group.policy == "affinity" and members:
        candidates = [(name, host) for name, host in candidates if host in members]
    if not candidates:
        return None
    together = -1 if group and group.policy == "soft-affinity" else 1
    return min(
        candidates,
        key=lambda one: (together * members[one[1]], zone_load[one[0]], load[one[1]]),
    )
