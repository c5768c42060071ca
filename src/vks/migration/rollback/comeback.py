"""The way back from `convert`: the legacy provisioner builds anew what has been replaced.

Cluster API stands still meanwhile. Its own nodes are guests of the legacy cluster then: the legacy
provisioner keeps the routes to their pods, and for each that is to go it makes a successor first.
When that serves, the guest leaves. One after the other, control planes first, as they came.
"""

from __future__ import annotations

from vks.kube.objects import find_condition
from vks.migration.adopt.observe import selector
from vks.migration.adopt.release import release
from vks.migration.convert.letgo import forget_gone
from vks.migration.prepare.controlplanes import ControlPlanes
from vks.migration.prepare.loadbalancing import LoadBalancing, balancer_of
from vks.migration.prepare.nodes import NodeRoles
from vks.migration.rollback.guests import Guests, guests_of, next_of, succeeded
from vks.migration.rollback.own import is_going, own_machines, present
from vks.migration.rollback.standstill import stand_still
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.clustermigration import LEAVING
from vks.resources.legacycluster import RELEASED, LegacyCluster, LegacyGuest
from vks.resources.legacynode import LegacyNode
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.result import Waiting

POLL = 1.0
#: Seconds for which open requests to an API server may finish.
DRAIN = 2.0
_PROGRESS = {"Stays": "StaysForNow", "Replaced": "GetsSuccessor", "Leaves": "Leaves"}


async def come_back(scope: Scope) -> None:
    """Raises Waiting until none of Cluster API's own nodes lives in the cluster; ApiError and
    CloudError."""
    if await is_going(scope):
        return
    asked = any(node.step in LEAVING for node in scope.migration.status.nodes)
    if not asked and not await own_machines(scope):
        return
    await stand_still(scope)
    await forget_gone(scope)
    known = scope.cluster.spec
    members = {member.peer_url for member in scope.cluster.status.etcd_members}
    living = await present(scope, await own_machines(scope))
    guests = guests_of(living, await _servers(scope), known.guests, members)
    guests = await _without_gone(scope, guests, {machine.metadata.name for machine, _ in living})
    await _tell(scope, guests)
    if not guests:
        if not scope.cluster.released:
            await LoadBalancing().do(scope)
            await ControlPlanes().do(scope)  # each can answer for every other on the way back
        return
    if scope.cluster.released:
        await release(scope.client, scope.cluster, None)
        raise Waiting("TakeBackRequested", "the legacy provisioner is to take over", POLL)
    _require_taken_back(scope)
    guest = next_of(guests)
    scope.progress[guest.name] = _PROGRESS[guest.state]
    await _advance(scope, guests, guest)


async def _servers(scope: Scope) -> list[VerdaMachine]:
    found = await scope.client.list(VerdaMachine, scope.namespace, label_selector=selector(scope))
    return found.items


async def _without_gone(scope: Scope, guests: Guests, living: set[str]) -> Guests:
    """A guest that has left keeps its reserved address while its server runs: it is deleted for the
    successor's sake, as its VerdaMachine would do when it goes. Raises CloudError."""
    servers = {server.metadata.name: server.status.server_id for server in await _servers(scope)}
    gone = set()
    for guest in guests:
        if guest.name in living or guest.slot is None or guest.state != "Leaves":
            continue
        server_id = servers.get(guest.name)
        if server_id is None or not await _is_there(scope, server_id):
            gone.add(guest.name)
    return tuple(guest for guest in guests if guest.name not in gone)


async def _is_there(scope: Scope, server_id: str) -> bool:
    """Still: it is told to go."""
    server = await scope.cloud.compute.find_server(server_id)
    if server is None or server.status == "DELETED":
        return False
    if server.task_state != "deleting":
        await scope.cloud.compute.delete_server(server_id)
    return True


def _require_taken_back(scope: Scope) -> None:
    objects: list[LegacyCluster | LegacyNode] = [scope.cluster, *scope.nodes]
    for obj in objects:
        released = find_condition(obj.status.conditions, RELEASED)
        if released is not None and released.status == "True":
            raise Waiting("WaitingForLegacy", f"{obj.metadata.name} is not taken back yet", POLL)


async def _advance(scope: Scope, guests: Guests, guest: LegacyGuest) -> None:
    """One state further, or why not yet: always raises Waiting."""
    if guest.state == "Stays":
        await _tell(scope, guests, guest, "Replaced")
    await LoadBalancing().do(scope)
    await NodeRoles().do(scope)  # or kubeadm's kube-proxy would run on the successor too
    if guest.state == "Leaves":
        raise Waiting("GuestLeaves", guest.name, POLL)
    lacking = succeeded(scope.cluster, scope.nodes, guest)
    if lacking:
        raise Waiting("WaitingForSuccessor", f"{guest.name} stays: {lacking}", POLL)
    if guest.is_control_plane:
        await _leave_balancer(scope, guest)
    await _tell(scope, guests, guest, "Leaves")


async def _leave_balancer(scope: Scope, guest: LegacyGuest) -> None:
    """No new connections, then none. Raises Waiting until then, and while others do not serve."""
    client, pool = scope.cloud.loadbalancer, (await balancer_of(scope)).pool_id
    members = await client.members(pool)
    ours = {node.status.address for node in scope.control_planes}
    down = [m.name for m in members if m.address in ours and m.operating_status != "ONLINE"]
    if down or not any(member.address in ours for member in members):
        raise Waiting("MembersOffline", f"not serving: {', '.join(sorted(down))}", POLL)
    for member in members:
        if member.address != guest.address:
            continue
        if member.admin_state == "ENABLED":
            await client.set_member_state(pool, member.id, "DRAINING")
            raise Waiting("GuestDrains", f"{guest.name}: open requests may finish", DRAIN)
        if member.admin_state == "DRAINING":
            await client.set_member_state(pool, member.id, "DISABLED")


async def _tell(
    scope: Scope, guests: Guests, guest: LegacyGuest | None = None, state: str = ""
) -> None:
    """Before the legacy provisioner takes over, or it would cut the guests' pods off. Raises
    Waiting when it has not been told yet."""
    told = [_body(g, state if g is guest else g.state) for g in guests]
    if told == [_body(g, g.state) for g in scope.cluster.spec.guests]:
        return
    meta = scope.cluster.metadata
    patch = {"metadata": {"uid": meta.uid}, "spec": {"guests": told}}
    await scope.client.merge_patch(
        LegacyCluster, meta.name, meta.namespace, patch, field_manager=FIELD_MANAGER
    )
    raise Waiting("GuestsTold", f"{len(told)} nodes are guests of the legacy provisioner", POLL)


def _body(guest: LegacyGuest, state: str) -> dict[str, str]:
    fields = {
        "name": guest.name,
        "address": guest.address,
        "zone": guest.zone,
        "podCIDR": guest.pod_cidr,
        "pool": guest.pool,
        "slot": guest.slot,
        "state": state,
    }
    return {name: value for name, value in fields.items() if value is not None}
