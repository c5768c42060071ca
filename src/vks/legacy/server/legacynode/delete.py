"""The end of a node: pods, etcd member, Node, server, port, in this order."""

from __future__ import annotations

from datetime import datetime

from vks.legacy.server.hub import CallFailed, Hub, Session
from vks.legacy.server.legacynode import etcd
from vks.legacy.server.legacynode.drain import drain, remove_node
from vks.legacy.server.nodes import may_lose, voters
from vks.legacy.server.stores import member_session
from vks.resources.legacynode import LegacyNode
from vks.runtime.result import Waiting
from vks.verda.accounts import Account
from vks.verda.errors import Conflict

POLL = 1.0
#: Seconds between looks at a server that somebody else deletes.
RELEASED_POLL = 5.0
#: Seconds for which pods are waited for: a budget that allows no eviction must not hold a node
#: for ever.
DRAIN_TIMEOUT = 600.0


async def leave_cluster(node: LegacyNode, nodes: list[LegacyNode], hub: Hub, now: datetime) -> None:
    """Take the node out of a cluster that goes on. Raises Waiting, CallFailed."""
    name = node.metadata.name
    others = [other for other in voters(nodes) if other.metadata.name != name]
    if not others:
        return  # nobody is left who could miss it
    if not may_lose(nodes, node):
        raise Waiting("EtcdQuorum", "without it etcd would lose its quorum", POLL)
    session = member_session(nodes, hub, besides=name)
    if session is None:
        raise Waiting("NoControlPlane", "no control plane answers", POLL)
    if hub.session(node.key) is not None and _seconds_since_deletion(node, now) < DRAIN_TIMEOUT:
        await drain(session, name)
    if node.is_control_plane and node.status.address:
        await _leave_etcd(node, session)
    await remove_node(session, name)


async def _leave_etcd(node: LegacyNode, session: Session) -> None:
    try:
        await etcd.leave(session, node.status.address)
    except CallFailed as error:
        raise Waiting("EtcdMemberLeaving", error.message, POLL) from error


async def require_no_server(node: LegacyNode, account: Account) -> None:
    """A released node's server is somebody else's to delete. Raises Waiting while there is one,
    CloudError."""
    await account.cloud.settle(node.metadata.uid)
    left = await account.cloud.compute.servers_of(node.metadata.uid)
    running = ", ".join(server.id for server in left if server.status != "DELETED")
    if running:
        raise Waiting("Released", f"server {running} is not ours any more", RELEASED_POLL)


async def delete_in_cloud(node: LegacyNode, account: Account) -> None:
    """Server, then port, found by their owner: nothing that a killed process made stays. A reserved
    port is the cluster's, and free once Nova has let go of it. Raises Waiting until the cloud has,
    CloudError."""
    owner = node.metadata.uid
    await account.cloud.settle(owner)
    compute, network = account.cloud.compute, account.cloud.network
    left = []
    for server in await compute.servers_of(owner):
        account.poller.follow(server.id, node.key, waiting=True)
        if server.status == "DELETED":
            continue
        left.append(server.id)
        if server.task_state != "deleting":
            await compute.delete_server(server.id)
    if left:
        raise Waiting("ServerDeleting", f"waiting for server {', '.join(left)} to be gone", POLL)
    if node.status.server_id:
        account.poller.forget(node.status.server_id)
    for port in await network.ports_of(owner):
        try:
            await network.delete_port(port.id)
        except Conflict as error:
            raise Waiting("PortInUse", error.message, POLL) from error
    if node.spec.slot is not None and node.status.server_id:
        bound = await network.ports(device_id=node.status.server_id)
        if bound:
            message = f"Nova has not let go of {node.status.address} yet"
            raise Waiting("PortInUse", message, POLL)


def _seconds_since_deletion(node: LegacyNode, now: datetime) -> float:
    asked = node.metadata.deletion_timestamp
    if asked is None:
        return 0.0
    return (now - datetime.fromisoformat(asked.replace("Z", "+00:00"))).total_seconds()
