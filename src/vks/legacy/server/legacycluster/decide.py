"""Pure: which nodes come and go next.

One control plane is replaced at a time, with a surplus first. Workers of a pool are replaced one
at a time and zone, and only once every control plane is what it should be: a kubelet must not be
newer than the API servers. In a pool with reserved addresses that are all in use one node goes
before its successor comes, which gets the address. What others have made counts while it stays:
nothing is surplus then. Nor is it where replacing is paused: a surplus may be a successor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from vks.legacy.server.legacycluster.slots import FreeSlots
from vks.legacy.server.nodes import may_lose, ready, server_lost
from vks.resources.legacycluster import LegacyCluster, LegacyControlPlaneSpec, LegacyPoolSpec
from vks.resources.legacynode import LegacyNode, LegacyNodeSpec


class Create(msgspec.Struct, frozen=True):
    """`prefix` of its name: who it belongs to."""

    prefix: str
    spec: LegacyNodeSpec


class Remove(msgspec.Struct, frozen=True):
    node: LegacyNode
    reason: str


Change = Create | Remove


def decide(cluster: LegacyCluster, nodes: Iterable[LegacyNode]) -> list[Change]:
    """All changes that may be made now; `nodes` are all of the cluster, those that leave too."""
    planes = [node for node in nodes if node.is_control_plane]
    workers = [node for node in nodes if not node.is_control_plane]
    changes = _control_planes(cluster, planes)
    wanted = cluster.spec.control_plane
    current = not changes and all(ready(node) and up_to_date(node, wanted) for node in planes)
    pools = {pool.name: pool for pool in cluster.spec.node_pools}
    for pool in pools.values():
        own = [node for node in workers if node.spec.pool == pool.name]
        changes += _pool(cluster, pool, own, may_roll=current)
    orphans = [n for n in workers if n.spec.pool not in pools and not n.deleting]
    return changes + [Remove(node, "PoolRemoved") for node in orphans]


def up_to_date(node: LegacyNode, wanted: LegacyControlPlaneSpec | LegacyPoolSpec) -> bool:
    own = node.spec
    return (own.flavor, own.image, own.ssh_public_key) == (
        wanted.flavor,
        wanted.image,
        wanted.ssh_public_key,
    )


def _control_planes(cluster: LegacyCluster, nodes: Sequence[LegacyNode]) -> list[Change]:
    spec = cluster.spec.control_plane
    alive = [node for node in nodes if not node.deleting]
    leaving = len(alive) < len(nodes)
    lost = next((node for node in alive if server_lost(node)), None)
    if lost is not None and not leaving and _expendable(cluster, nodes, lost):
        return [Remove(lost, "ServerLost")]
    missing = spec.replicas - len(cluster.staying()) - len(alive)
    if missing > 0:
        return _creations(cluster, spec, alive, missing)
    if cluster.spec.guests or spec.paused or leaving or not all(ready(node) for node in alive):
        return []
    outdated = [node for node in alive if not _current(node, spec)]
    if missing < 0:
        candidate = _oldest(outdated) if outdated else _in_fullest_zone(alive)
        return [Remove(candidate, "Replaced" if outdated else "ScaledDown")]
    return _creations(cluster, spec, [n for n in alive if n not in outdated], 1) if outdated else []


def _expendable(cluster: LegacyCluster, nodes: Sequence[LegacyNode], candidate: LegacyNode) -> bool:
    """Until a cluster has begun there is nothing to lose; from then on it is etcd's quorum."""
    return not cluster.status.initialized or may_lose(nodes, candidate)


def _current(node: LegacyNode, spec: LegacyControlPlaneSpec) -> bool:
    return up_to_date(node, spec) and node.spec.zone in spec.zones


def _creations(
    cluster: LegacyCluster, spec: LegacyControlPlaneSpec, present: list[LegacyNode], count: int
) -> list[Change]:
    """Each in the zone with the fewest; of several the first in the order given."""
    zones = Counter({zone: 0 for zone in spec.zones})
    others = [guest.zone for guest in cluster.staying()]
    zones.update(z for z in [*others, *(n.spec.zone for n in present)] if z in zones)
    changes: list[Change] = []
    for _ in range(count):
        zone = min(spec.zones, key=lambda name: zones[name])
        zones[zone] += 1
        node = LegacyNodeSpec(
            cluster_name=cluster.metadata.name,
            role="control-plane",
            zone=zone,
            flavor=spec.flavor,
            image=spec.image,
            version=cluster.spec.version,
            ssh_public_key=spec.ssh_public_key,
        )
        changes.append(Create(f"{cluster.metadata.name}-cp", node))
    return changes


def _pool(
    cluster: LegacyCluster, pool: LegacyPoolSpec, nodes: Sequence[LegacyNode], *, may_roll: bool
) -> list[Change]:
    alive = [node for node in nodes if not node.deleting]
    lost = [node for node in alive if server_lost(node)]
    changes: list[Change] = [Remove(node, "ServerLost") for node in lost]
    kept = [node for node in alive if node not in lost]
    guests = Counter(guest.zone for guest in cluster.staying(pool.name))
    wanted = {zone.name: zone.replicas for zone in pool.zones}
    may_shrink = not cluster.spec.guests and not pool.paused
    settled = may_roll and may_shrink and all(ready(node) for node in nodes)
    settled = settled and len(kept) == len(nodes) == sum(wanted.values())
    slots = FreeSlots(pool, nodes, kept, cluster.spec.guests)
    for zone in sorted({*wanted, *(node.spec.zone for node in kept)}):
        here = [node for node in kept if node.spec.zone == zone]
        outdated = [node for node in here if not up_to_date(node, pool)]
        missing = wanted.get(zone, 0) - guests[zone] - len(here)
        if missing == 0 and outdated and settled:
            # A surplus for the roll, or room for it, in one zone at a time.
            missing, settled = (1 if slots.has_room(zone) else -1), False
        if missing > 0:
            changes += _workers(cluster, pool, zone, missing, slots)
        elif missing < 0 and may_shrink:
            changes += _surplus(here, outdated, -missing)
    return changes


def _surplus(here: list[LegacyNode], outdated: list[LegacyNode], count: int) -> list[Change]:
    """Outdated ones go once their successors are ready; else those that are not ready, and the
    youngest, which carry the least."""
    if outdated:
        if not all(ready(node) for node in here if node not in outdated):
            return []
        return [Remove(node, "Replaced") for node in _by_age(outdated)[:count]]
    candidates = sorted(reversed(_by_age(here)), key=ready)
    return [Remove(node, "ScaledDown") for node in candidates[:count]]


def _workers(
    cluster: LegacyCluster, pool: LegacyPoolSpec, zone: str, count: int, slots: FreeSlots
) -> list[Change]:
    """As many as find an address, where they need one."""
    if not slots.reserved:
        return [_worker(cluster, pool, zone, None) for _ in range(count)]
    given = [slots.take(zone) for _ in range(count)]
    return [_worker(cluster, pool, zone, slot) for slot in given if slot is not None]


def _worker(cluster: LegacyCluster, pool: LegacyPoolSpec, zone: str, slot: str | None) -> Create:
    spec = LegacyNodeSpec(
        cluster_name=cluster.metadata.name,
        role="worker",
        pool=pool.name,
        slot=slot,
        zone=zone,
        flavor=pool.flavor,
        image=pool.image,
        version=pool.version or cluster.spec.version,
        ssh_public_key=pool.ssh_public_key,
    )
    return Create(f"{cluster.metadata.name}-{pool.name}", spec)


def _by_age(nodes: Iterable[LegacyNode]) -> list[LegacyNode]:
    return sorted(nodes, key=lambda n: (n.metadata.creation_timestamp or "", n.metadata.name))


def _oldest(nodes: Iterable[LegacyNode]) -> LegacyNode:
    return _by_age(nodes)[0]


def _in_fullest_zone(nodes: Sequence[LegacyNode]) -> LegacyNode:
    counts = Counter(node.spec.zone for node in nodes)
    fullest = max(counts.values())
    return _by_age(node for node in nodes if counts[node.spec.zone] == fullest)[-1]
