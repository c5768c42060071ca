"""The claim protocol: one holder per slot, one slot per machine, whoever crashes or reads old news.

A machine first records which slot it is going to claim (compare-and-swap on the machine), then
claims it (compare-and-swap on the VerdaPort, which nobody may have touched since it was seen to
be free). Two processes that act for one machine therefore go for the same slot, and two machines
never get one. Every claim raises the slot's fencing token. The server carries it, and a server on
the port with a lower token than the claim's is one that a delayed request made too late.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.kube.objects import KubeObject
from vks.kube.swap import swap
from vks.kube.times import rfc3339
from vks.provider.ownership import owner_id
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort
from vks.runtime.result import Transient


async def record_choice(client: Client, machine: VerdaMachine, port: VerdaPort) -> VerdaMachine:
    """The machine that has the slot's name on it. Raises Conflict."""
    name = port.metadata.name
    if machine.spec.port_ref is not None and machine.spec.port_ref.name == name:
        return machine
    op = {"op": "add", "path": "/spec/portRef", "value": {"name": name}}
    return await swap(client, machine, [op])


async def take(
    client: Client, port: VerdaPort, holder: KubeObject, zone: str | None, now: datetime
) -> VerdaPort:
    """Claim a slot that was seen to be free. Raises Conflict when it is not that any more."""
    claim = {
        "kind": type(holder).resource.kind,
        "name": holder.metadata.name,
        "owner": owner_id(holder),
        "since": rfc3339(now),
    }
    ops: list[dict[str, Any]] = [
        {"op": "add", "path": "/spec/claim", "value": claim},
        {"op": "add", "path": "/spec/token", "value": port.spec.token + 1},
        {"op": "add", "path": "/spec/lastZone", "value": zone or ""},
    ]
    return await swap(client, port, ops)


async def confirm(client: Client, port: VerdaPort) -> None:
    """Ask the API server, not the cache, whether the claim still stands: the last thing before a
    server is asked for. Raises Transient when it does not."""
    claim = port.spec.claim
    try:
        fresh = await client.get(VerdaPort, port.metadata.name, port.metadata.namespace)
    except NotFound:
        fresh = None
    if (
        claim is None
        or fresh is None
        or fresh.spec.claim is None
        or (fresh.spec.claim.owner, fresh.spec.token) != (claim.owner, port.spec.token)
    ):
        raise Transient("SlotLost", f"slot {port.metadata.name} is no longer this machine's")


async def release(client: Client, port: VerdaPort) -> None:
    """End the claim that `port` shows, and no later one. Only when nothing of its holder is left
    in the cloud. Raises Conflict when it ended already."""
    claim = port.spec.claim
    if claim is None:
        return
    tests: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/token", "value": port.spec.token},
        {"op": "test", "path": "/spec/claim/owner", "value": claim.owner},
    ]
    await swap(client, port, [{"op": "remove", "path": "/spec/claim"}], tests=tests)
