"""Who has a slot's port in the cloud. Our records say who may; only Nova knows who does."""

from __future__ import annotations

from vks.provider.ownership import owner_id
from vks.resources.verdaport import VerdaPort
from vks.runtime.result import Waiting
from vks.verda.accounts import Account
from vks.verda.compute import Server
from vks.verda.errors import NotFound

PORT_IN_USE = "PortInUse"
#: Seconds between looks at a port that Nova is about to let go of.
POLL = 1.0
#: The same for one that somebody else took.
PATIENT = 10.0

_SLOT = "vks.slot"
_TOKEN = "vks.slot-token"  # noqa: S105 - the name of a server's metadata item


def marks(port: VerdaPort) -> dict[str, str]:
    """The server metadata that says by which claim of which slot a server came to its port."""
    return {_SLOT: owner_id(port), _TOKEN: str(port.spec.token)}


def is_stale(server: Server, port: VerdaPort) -> bool:
    """Whether the server came to the port by a claim that has ended: a request that was on its way
    while its sender was killed and the slot released. Only what carries the slot's mark is ours."""
    token = server.metadata.get(_TOKEN, "")
    if server.metadata.get(_SLOT) != owner_id(port) or not token.isdecimal():
        return False
    ended = port.spec.token + (port.spec.claim is None)
    return int(token) < ended


async def require_let_go(port: VerdaPort, account: Account, owner: str | None) -> None:
    """Return when nobody but the owner's server has the port. A stale server is asked to go.
    Raises Waiting and CloudError."""
    address = port.status.address
    try:
        found = await account.cloud.network.port(port.status.port_id)
    except NotFound:
        raise Waiting("PortMissing", f"the port of {address} is being made again", POLL) from None
    if not found.device_id:
        return
    server = await account.cloud.compute.find_server(found.device_id)
    if server is None or server.status == "DELETED" or server.task_state == "deleting":
        raise Waiting(PORT_IN_USE, f"Nova has not let go of the port of {address} yet", POLL)
    if owner is not None and server.owner == owner:
        return
    if is_stale(server, port):
        await account.cloud.compute.delete_server(server.id)
        raise Waiting(PORT_IN_USE, f"a stale server on {address} is being deleted", POLL)
    raise Waiting(
        PORT_IN_USE, f"{address} is used by server {server.id}, which is not of this pool", PATIENT
    )


async def require_unbound(port: VerdaPort, account: Account, owner: str | None = None) -> None:
    """Return when no device has the port, or the port is gone; with an owner also when it is a
    server of somebody else's, whom the next one to claim the port has to deal with. Raises Waiting
    and CloudError."""
    if not port.status.port_id:
        return
    try:
        found = await account.cloud.network.port(port.status.port_id)
    except NotFound:
        return
    if not found.device_id:
        return
    if owner is not None:
        server = await account.cloud.compute.find_server(found.device_id)
        if server is not None and server.status != "DELETED" and server.owner != owner:
            return
    address = port.status.address
    raise Waiting(PORT_IN_USE, f"Nova has not let go of the port of {address} yet", POLL)
