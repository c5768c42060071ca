"""The load balancer in front of the control planes; its members follow the legacy membership."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from vks.migration.run.scope import Scope
from vks.resources.legacycluster import LegacyGuest
from vks.resources.legacynode import LegacyNode
from vks.verda.apibalancer import (
    API_PORT,
    ApiBalancer,
    delete_api_balancers,
    ensure_api_balancer,
)
from vks.verda.loadbalancer import AdminState, LoadBalancerRequest, Member


class MemberChange(NamedTuple):
    """Who comes, who goes, and whose state changes."""

    add: list[LegacyNode]
    remove: list[Member]
    states: list[tuple[Member, AdminState]]


async def balancer_of(scope: Scope) -> ApiBalancer:
    """The cluster's own, made if it has none. Raises Waiting until it is there, CloudError."""
    if scope.balancer is None:
        zones = tuple(sorted(scope.cluster.spec.control_plane.zones))
        request = LoadBalancerRequest(name=f"vks-{scope.namespace}-{scope.name}", zones=zones)
        client, owner = scope.cloud.loadbalancer, scope.cluster.metadata.uid
        scope.balancer = await ensure_api_balancer(client, owner, request)
    return scope.balancer


def member_change(
    planes: Iterable[LegacyNode], members: Iterable[Member], guests: Iterable[LegacyGuest] = ()
) -> MemberChange:
    """A control plane that is drained for its restart gets no new connections. Guests stay as they
    are, for as long as they are."""
    kept = {guest.address for guest in guests}
    voting = {n.status.address: n for n in planes if n.status.etcd and n.status.etcd.voter}
    known = {member.address: member for member in members}
    states: list[tuple[Member, AdminState]] = []
    for address, member in known.items():
        if address not in voting:
            continue
        preparation = voting[address].spec.preparation
        drained = preparation is not None and preparation.drained
        wanted: AdminState = "DRAINING" if drained else "ENABLED"
        if member.admin_state != wanted:
            states.append((member, wanted))
    return MemberChange(
        add=[node for address, node in sorted(voting.items()) if address not in known],
        remove=[m for address, m in known.items() if address not in {*voting, *kept}],
        states=states,
    )


class LoadBalancing:
    name = "LoadBalancing"

    async def do(self, scope: Scope) -> None:
        balancer = await balancer_of(scope)
        client, pool = scope.cloud.loadbalancer, balancer.pool_id
        members, guests = await client.members(pool), scope.cluster.spec.guests
        change = member_change(scope.control_planes, members, guests)
        for node in change.add:
            await client.add_member(
                pool, node.metadata.name, node.status.address, API_PORT, node.spec.zone
            )
        for member, state in change.states:
            await client.set_member_state(pool, member.id, state)
        for member in change.remove:
            await client.remove_member(pool, member.id)

    async def undo(self, scope: Scope) -> None:
        await delete_api_balancers(scope.cloud.loadbalancer, scope.cluster.metadata.uid)
