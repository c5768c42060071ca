"""Cluster API's IPAM contract, on upstream's own CRDs, served from a port pool."""

from __future__ import annotations

from tests.apiserver.provider.region import Region, eventually
from tests.apiserver.provider.test_port_pool import boot_like

from vks.kube.errors import NotFound
from vks.resources.clusterapi import Cluster
from vks.resources.ipam import IPAddress, IPAddressClaim
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort

POOL = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "VerdaPortPool", "name": "web"}


async def ask(region: Region, name: str, pool: dict[str, str] = POOL) -> None:
    body = {
        "metadata": {"name": name, "namespace": region.namespace},
        "spec": {"clusterName": "demo", "poolRef": pool},
    }
    await region.client.apply(IPAddressClaim, body, field_manager="user")


async def answer(region: Region, name: str) -> IPAddress:
    async def look() -> IPAddress | None:
        claim = await region.client.get(IPAddressClaim, name, region.namespace)
        if claim.status.address_ref is None:
            return None
        reference = claim.status.address_ref.name
        return await region.client.get(IPAddress, reference, region.namespace)

    found = await eventually(look)
    assert found is not None
    return found


async def start(region: Region, *slots: dict[str, str]) -> dict[str, VerdaPort]:
    await region.add_cluster()
    await region.core_sees_infrastructure()
    await region.add_port_pool("web", *slots)
    return await region.slots_are_reserved(len(slots))


async def test_a_claim_gets_an_address_that_the_contract_describes(running: Region) -> None:
    slots = await start(running, {"name": "1"})
    await ask(running, "mine")
    address = await answer(running, "mine")
    claim = await running.client.get(IPAddressClaim, "mine", running.namespace)
    status = slots["1"].status
    assert address.metadata.name == "mine"
    assert address.spec.claim_ref.name == "mine"
    assert (address.spec.pool_ref.kind, address.spec.pool_ref.name) == ("VerdaPortPool", "web")
    found = (address.spec.address, address.spec.prefix, address.spec.gateway)
    assert found == (status.address, status.prefix, status.gateway)
    assert "ipam.cluster.x-k8s.io/protect-address" in address.metadata.finalizers
    owners = {owner.kind: owner for owner in address.metadata.owner_references}
    assert owners["IPAddressClaim"].uid == claim.metadata.uid
    assert owners["IPAddressClaim"].controller
    assert owners["IPAddressClaim"].block_owner_deletion
    assert owners["VerdaPortPool"].name == "web"
    slot = (await running.slots())["1"]
    assert slot.spec.claim is not None
    assert (slot.spec.claim.kind, slot.spec.claim.name) == ("IPAddressClaim", "mine")


async def test_claims_and_machines_share_a_pool_and_wait_for_each_other(running: Region) -> None:
    await start(running, {"name": "1"})
    await ask(running, "mine")
    first = await answer(running, "mine")
    zone = running.under_test.zones[0]
    await running.add_machine("w-0", zone=zone, portPoolRef={"name": "web"})
    await running.says(VerdaMachine, "w-0", "NoFreeSlot")
    await ask(running, "later")
    await running.says(IPAddressClaim, "later", "NoFreeSlot")

    await running.client.delete(IPAddressClaim, "mine", running.namespace)
    await running.gone(IPAddressClaim, "mine")
    await running.gone(IPAddress, "mine")

    async def passed_on() -> str:
        claim = (await running.slots())["1"].spec.claim
        return claim.name if claim is not None else ""

    assert await eventually(passed_on) in ("w-0", "later")
    if await passed_on() == "w-0":
        await running.machine_is_provisioned("w-0")
        await running.client.delete(VerdaMachine, "w-0", running.namespace)
    assert (await answer(running, "later")).spec.address == first.spec.address


async def test_an_address_in_use_is_not_given_to_another_claim(running: Region) -> None:
    """Whoever claimed it may have a server on the port for longer than the claim."""
    slots = await start(running, {"name": "1"})
    await ask(running, "mine")
    await answer(running, "mine")
    server = await boot_like(running, {}, slots["1"].status.port_id)
    await running.client.delete(IPAddressClaim, "mine", running.namespace)

    async def waits() -> bool:
        claim = await running.client.get(IPAddressClaim, "mine", running.namespace)
        return any(c.reason == "PortInUse" for c in claim.status.conditions)

    await eventually(waits)
    await running.verda.compute.delete_server(server)
    await running.gone(IPAddressClaim, "mine")


async def test_a_paused_cluster_answers_no_claim_and_others_pools_are_left_alone(
    running: Region,
) -> None:
    await start(running, {"name": "1"})
    await running.client.merge_patch(Cluster, "demo", running.namespace, {"spec": {"paused": True}})
    await ask(running, "mine")
    await ask(running, "theirs", {**POOL, "kind": "InClusterIPPool"})

    async def paused() -> bool:
        claim = await running.client.get(IPAddressClaim, "mine", running.namespace)
        return any(c.type == "Paused" and c.status == "True" for c in claim.status.conditions)

    await eventually(paused)
    assert (await running.slots())["1"].spec.claim is None
    await running.client.merge_patch(Cluster, "demo", running.namespace, {"spec": {"paused": None}})
    await answer(running, "mine")
    theirs = await running.client.get(IPAddressClaim, "theirs", running.namespace)
    assert (theirs.status.conditions, theirs.metadata.finalizers) == ((), ())
    try:
        await running.client.get(IPAddress, "theirs", running.namespace)
    except NotFound:
        return
    raise AssertionError("an address for a claim on a pool that is not ours")
