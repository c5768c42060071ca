"""A machine's slot in a port pool: claimed before its server, released after it."""

from __future__ import annotations

import msgspec

from vks.kube.client import Client
from vks.provider.ownership import owner_id
from vks.provider.verdamachine.observation import Observation
from vks.provider.verdaport.claiming import record_choice, release, take
from vks.provider.verdaport.holding import require_unbound
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import PORT_POOL_LABEL, VerdaPort
from vks.verda.accounts import Account


async def claim_slot(seen: Observation, name: str, client: Client) -> Observation:
    """Claim the slot of that name. Raises Conflict when somebody was faster."""
    slot = next(port for port in seen.slots if port.metadata.name == name)
    machine = await record_choice(client, seen.machine, slot)
    taken = await take(client, slot, machine, seen.zone, seen.now)
    return msgspec.structs.replace(seen, machine=machine, slot=taken)


async def release_slots(machine: VerdaMachine, account: Account, client: Client) -> None:
    """Give up what the machine claimed, once Nova has let go of it. Asked of the API server: the
    cache may not show yet what another process claimed. Raises Waiting, CloudError, Conflict."""
    pool = machine.spec.port_pool_ref
    if pool is None:
        return
    listed = await client.list(
        VerdaPort,
        machine.metadata.namespace,
        label_selector=f"{PORT_POOL_LABEL}={pool.name}",
    )
    for port in listed.items:
        if port.spec.claim is not None and port.spec.claim.owner == owner_id(machine):
            await require_unbound(port, account, owner_id(machine))
            await release(client, port)
