"""Phase: the ends. Of a claim whose holder is gone, and of the port itself."""

from __future__ import annotations

from vks.kube.client import Client
from vks.kube.errors import NotFound as ObjectNotFound
from vks.kube.objects import KubeObject
from vks.provider.ownership import owner_id
from vks.provider.verdaport.claiming import release
from vks.provider.verdaport.holding import POLL, PORT_IN_USE, require_unbound
from vks.resources.ipam import IPAddressClaim
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import SlotClaim, VerdaPort
from vks.runtime.result import Waiting
from vks.verda.accounts import Account
from vks.verda.errors import Conflict

HOLDERS: dict[str, type[KubeObject]] = {
    "VerdaMachine": VerdaMachine,
    "IPAddressClaim": IPAddressClaim,
}


async def release_orphan(client: Client, port: VerdaPort, account: Account) -> bool:
    """Release the slot when its holder does not exist any more; whether it did. A holder releases
    its slot itself; this is for one that was forced out, or whose claim came too late. Servers
    that it left are deleted first, unless the port may yet be given back: then they are waited
    for. Raises Waiting, CloudError, Conflict."""
    claim = port.spec.claim
    if claim is None or await _exists(client, claim, port.metadata.namespace):
        return False
    if port.spec.deletion_policy == "Delete":
        await _delete_servers(claim, account)
    await require_unbound(port, account)
    await release(client, port)
    return True


async def _delete_servers(claim: SlotClaim, account: Account) -> None:
    await account.cloud.settle(claim.owner)
    left = await account.cloud.compute.servers_of(claim.owner)
    for server in left:
        if server.task_state != "deleting":
            await account.cloud.compute.delete_server(server.id)
    if left:
        raise Waiting("ServerDeleting", f"{claim.name} is gone, its server is being deleted", POLL)


async def _exists(client: Client, claim: SlotClaim, namespace: str) -> bool:
    """Asked of the API server: a cache may know the claim and not yet the claimant."""
    try:
        holder = await client.get(HOLDERS[claim.kind], claim.name, namespace)
    except ObjectNotFound:
        return False
    return owner_id(holder) == claim.owner


async def delete_port(port: VerdaPort, account: Account) -> None:
    """The end of the port, found by its owner too: its id may never have been recorded. Raises
    Waiting while anything uses it, and CloudError."""
    network = account.cloud.network
    await account.cloud.settle(owner_id(port))
    await require_unbound(port, account)
    ids = {found.id for found in await network.ports_of(owner_id(port))}
    if port.status.port_id:
        ids.add(port.status.port_id)
    for port_id in sorted(ids):
        try:
            await network.delete_port(port_id)
        except Conflict as error:
            raise Waiting(PORT_IN_USE, error.message, POLL) from error
