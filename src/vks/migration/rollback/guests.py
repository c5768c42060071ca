"""Pure: the nodes of Cluster API's own as the legacy provisioner knows them, and who goes next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from vks.kube.objects import find_condition
from vks.resources.clusterapi import Machine
from vks.resources.contract import READY
from vks.resources.core import Node
from vks.resources.legacycluster import LegacyCluster, LegacyGuest
from vks.resources.legacynode import LegacyNode
from vks.resources.nodepool import POOL_LABEL
from vks.resources.verdamachine import VerdaMachine

Guests = tuple[LegacyGuest, ...]


def guests_of(
    living: Iterable[tuple[Machine, Node]],
    servers: Iterable[VerdaMachine],
    told: Guests,
    members: Iterable[str],
) -> Guests:
    """Those that live in the cluster, by name; one whose Node is gone still does while etcd counts
    it, or its server holds a reserved address. `members` are peer URLs."""
    known = {guest.name: guest for guest in told}
    states = {guest.name: guest.state for guest in told}
    slots = {server.metadata.name: _slot(server) for server in servers}
    found = {}
    for machine, node in living:
        name = machine.metadata.name
        found[name] = _guest(machine, node, slots.get(name), states.get(name, "Stays"))
    hosts = {urlsplit(url).hostname for url in members}
    for name, guest in known.items():
        counts = guest.is_control_plane and guest.address in hosts
        if name not in found and (counts or guest.slot is not None):
            found[name] = guest
    return tuple(guest for _, guest in sorted(found.items()))


def _slot(server: VerdaMachine) -> str | None:
    """The name of the pool's slot that the server has booted on."""
    pool, port = server.spec.port_pool_ref, server.spec.port_ref
    if pool is None or port is None:
        return None
    return port.name.removeprefix(f"{pool.name}.")


def _guest(machine: Machine, node: Node, slot: str | None, state: str) -> LegacyGuest:
    address = next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")
    pool = None if machine.is_control_plane else machine.metadata.labels.get(POOL_LABEL, "")
    return LegacyGuest(
        name=machine.metadata.name,
        address=address,
        zone=machine.spec.failure_domain or "",
        pod_cidr=node.spec.pod_cidr or None,
        pool=pool,
        slot=slot,
        state=state,  # type: ignore[arg-type]
    )


def next_of(guests: Sequence[LegacyGuest]) -> LegacyGuest:
    """The one that was begun with; else a control plane, then workers."""
    return min(guests, key=lambda g: (g.state == "Stays", not g.is_control_plane, g.name))


def succeeded(cluster: LegacyCluster, nodes: Iterable[LegacyNode], guest: LegacyGuest) -> str:
    """What the guest's successor lacks; empty when as many as are wanted do without the guest, or
    when there is no address for one more."""
    own = [n for n in nodes if (n.spec.pool if not n.is_control_plane else None) == guest.pool]
    staying = cluster.staying(guest.pool)
    if guest.is_control_plane:
        wanted = cluster.spec.control_plane.replicas
    else:
        own = [node for node in own if node.spec.zone == guest.zone]
        staying = [other for other in staying if other.zone == guest.zone]
        zones = [z for p in cluster.spec.node_pools if p.name == guest.pool for z in p.zones]
        wanted = next((zone.replicas for zone in zones if zone.name == guest.zone), 0)
        if _all_taken(cluster, nodes, guest):
            return ""
    ready = [node for node in own if _is_ready(node)]
    have = len(ready) + len(staying)
    return "" if have >= wanted else f"{have} of {wanted} are ready without it"


def _all_taken(cluster: LegacyCluster, nodes: Iterable[LegacyNode], guest: LegacyGuest) -> bool:
    """Whether no reserved address of the guest's pool is free in its zone."""
    static = next((p.static_ip for p in cluster.spec.node_pools if p.name == guest.pool), None)
    if static is None:
        return False
    taken = {node.spec.slot for node in nodes if node.spec.pool == guest.pool}
    taken |= {other.slot for other in cluster.spec.guests if other.pool == guest.pool}
    fitting = [slot.name for slot in static.slots if slot.zone in (None, guest.zone)]
    return not {*fitting} - taken


def _is_ready(node: LegacyNode) -> bool:
    condition = find_condition(node.status.conditions, READY)
    return condition is not None and condition.status == "True"
