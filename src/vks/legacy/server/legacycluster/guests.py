"""Nodes that another provisioner made: they leave as our own do, but for their servers, which are
not ours.

etcd itself refuses to let a member go without which it would have no quorum of members that answer
(server.go, mayRemoveMember, with --strict-reconfig-check, which is on unless said otherwise).
"""

from __future__ import annotations

import structlog

from vks.legacy.plan.etcd import guest_endpoint
from vks.legacy.server.hub import CallFailed, Hub, Session
from vks.legacy.server.legacynode import etcd
from vks.legacy.server.legacynode.drain import answers, drain, remove_node
from vks.legacy.server.nodes import serving, voters
from vks.legacy.server.stores import member_session
from vks.resources.legacycluster import LegacyCluster, LegacyGuest
from vks.resources.legacynode import LegacyNode
from vks.runtime.result import Waiting

POLL = 1.0

log = structlog.get_logger(__name__)


async def see_off(cluster: LegacyCluster, nodes: list[LegacyNode], hub: Hub) -> None:
    """Take out the guests that leave. May be repeated after any crash, and when they are gone.
    Raises Waiting, CallFailed."""
    leaving = [guest for guest in cluster.spec.guests if guest.state == "Leaves"]
    if not leaving:
        return
    session = member_session(nodes, hub)
    if session is None:
        raise Waiting("NoControlPlane", "no control plane answers", POLL)
    for guest in leaving:
        if await answers(session, guest.name):
            await drain(session, guest.name)
        if guest.is_control_plane:
            await _leave_etcd(guest, nodes, session)
        await remove_node(session, guest.name)


async def _leave_etcd(guest: LegacyGuest, nodes: list[LegacyNode], session: Session) -> None:
    heirs = [node.status.address for node in voters(nodes) if serving(node)]
    try:
        await etcd.hand_over(session, guest_endpoint(guest.address), guest.address, heirs)
    except CallFailed as error:
        log.info("a guest does not hand over", guest=guest.name, reason=error.message)
    try:
        await etcd.leave(session, guest.address)
    except CallFailed as error:
        raise Waiting("EtcdMemberLeaving", error.message, POLL) from error
