"""The end of a machine: out of the load balancer, then the server, then the port.

A port of a pool is only released: it stays as it is for the machine that comes next.
"""

from __future__ import annotations

from datetime import datetime

from vks.kube.client import Client
from vks.kube.objects import Condition, find_condition
from vks.provider.conditions import DELETING
from vks.provider.ownership import owner_id
from vks.provider.verdamachine.slot import release_slots
from vks.resources.contract import CONTROL_PLANE_LABEL
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.result import Waiting
from vks.verda.accounts import Account
from vks.verda.apibalancer import API_PORT
from vks.verda.errors import Conflict
from vks.verda.loadbalancer import Member

DRAINING = "Draining"
#: Seconds between "no new connections" and the end: what an API request usually takes.
DRAIN = 2.0
POLL = 1.0
#: The poller tells when a server is gone; this is for one that it has lost.
SERVER_POLL = 5.0


async def delete_all(
    machine: VerdaMachine,
    cluster: VerdaCluster | None,
    account: Account,
    client: Client,
    *,
    keep_server: bool,
    drain: bool,
    now: datetime,
) -> None:
    """Ask for the end of all that the machine has. Raises Waiting until the cloud has let go.
    `drain` lets open requests to its API server finish first; without it the whole cluster goes,
    and a server that is kept serves on for whoever has it then."""
    await account.cloud.settle(owner_id(machine))
    serves_on = keep_server and not drain
    if cluster is not None and not cluster.deleting and not serves_on:
        await _leave_load_balancer(machine, cluster, account, now if drain else None)
    if keep_server:
        return
    await _delete_servers(machine, account)
    await _delete_ports(machine, account)
    await release_slots(machine, account, client)


def drained(conditions: tuple[Condition, ...], now: datetime) -> bool:
    """Whether the machine has been draining for long enough."""
    condition = find_condition(conditions, DELETING)
    if condition is None or not condition.last_transition_time:
        return False
    since = datetime.fromisoformat(condition.last_transition_time.replace("Z", "+00:00"))
    return (now - since).total_seconds() >= DRAIN


async def _leave_load_balancer(
    machine: VerdaMachine, cluster: VerdaCluster, account: Account, now: datetime | None
) -> None:
    pool_id = cluster.status.load_balancer.pool_id
    if not pool_id or not _is_control_plane(machine):
        return
    client = account.cloud.loadbalancer
    for member in await client.members(pool_id):
        if not _is_mine(member, machine):
            continue
        if now is not None and member.admin_state == "ENABLED":
            await client.set_member_state(pool_id, member.id, "DRAINING")
        closed = member.admin_state == "DISABLED"  # before its Machine was drained
        if now is not None and not closed and not drained(machine.status.conditions, now):
            raise Waiting(DRAINING, "open requests to the API server may finish", DRAIN)
        await client.remove_member(pool_id, member.id)


def _is_mine(member: Member, machine: VerdaMachine) -> bool:
    """By name as well as by id: the id may never have been recorded."""
    recorded = machine.status.load_balancer_member_id == member.id
    return recorded or (member.name == machine.metadata.name and member.port == API_PORT)


def _is_control_plane(machine: VerdaMachine) -> bool:
    return (
        CONTROL_PLANE_LABEL in machine.metadata.labels
        or machine.status.load_balancer_member_id is not None
    )


async def _delete_servers(machine: VerdaMachine, account: Account) -> None:
    compute = account.cloud.compute
    owner = owner_id(machine)
    listed = {server.id: server for server in await compute.servers_of(owner)}
    left = []
    for server_id in sorted({*listed, machine.status.server_id or ""} - {""}):
        account.poller.follow(server_id, machine.key, waiting=True)
        server = listed.get(server_id) or await compute.find_server(server_id)
        if server is None or server.status == "DELETED":
            account.poller.forget(server_id)
            continue
        left.append(server_id)
        if server.task_state != "deleting":
            await compute.delete_server(server_id)
    if left:
        message = f"waiting for server {', '.join(left)} to be gone"
        raise Waiting("ServerDeleting", message, SERVER_POLL)


async def _delete_ports(machine: VerdaMachine, account: Account) -> None:
    client = account.cloud.network
    ids = {port.id for port in await client.ports_of(owner_id(machine))}
    if machine.status.port_id and machine.spec.port_pool_ref is None:
        ids.add(machine.status.port_id)
    for port_id in sorted(ids):
        try:
            await client.delete_port(port_id)
        except Conflict as error:
            raise Waiting("PortInUse", error.message, POLL) from error
