"""Port pools on a real API server and the local Verda: addresses that outlive their servers."""

from __future__ import annotations

from tests.apiserver.provider.region import Faults, Region, eventually

from vks.kube.objects import find_condition
from vks.resources.clusterapi import Machine
from vks.resources.contract import PAUSED_ANNOTATION
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort, VerdaPortPool
from vks.verda.compute import ServerRequest
from vks.verda.network import PortRequest

POOL = {"name": "web"}


async def replace(region: Region, old: str, new: str, zone: str) -> None:
    """As a MachineSet does: the replacement is there before the old machine is gone."""
    await region.client.delete(VerdaMachine, old, region.namespace)
    await region.client.delete(Machine, old, region.namespace)
    await region.add_machine(new, zone=zone, portPoolRef=POOL)


async def test_a_replacement_gets_its_predecessors_port(running: Region, faults: Faults) -> None:
    zones = running.under_test.zones
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_port_pool("web", {"name": "1"}, {"name": "2"})
    reserved = await running.slots_are_reserved(2)
    for number, zone in enumerate(zones[:2]):
        await running.add_machine(f"w-{number}", zone=zone, portPoolRef=POOL)
        await running.machine_is_provisioned(f"w-{number}")
    before = {name: (await running.machine(name)).status.port_id for name in ("w-0", "w-1")}
    assert set(before.values()) == {port.status.port_id for port in reserved.values()}

    faults.add("hold", path="server.delete/.* w-0$")  # answered, and not done
    await replace(running, "w-0", "w-2", zones[0])
    said = await running.says(VerdaMachine, "w-2", "WaitingForSlot")
    slot = next(s for s in reserved.values() if s.status.port_id == before["w-0"])
    assert said == f"w-0 is about to release {slot.status.address}"
    faults.clear()

    machine = await running.machine_is_provisioned("w-2")
    assert machine.status.port_id == before["w-0"]
    port = await running.verda.network.port(before["w-0"] or "")
    slot = next(s for s in (await running.slots()).values() if s.status.port_id == port.id)
    assert (port.ip, port.mac_address) == (slot.status.address, slot.status.mac_address)
    assert port.device_id == machine.status.server_id
    assert (slot.spec.claim and slot.spec.claim.name, slot.spec.token) == ("w-2", 2)
    assert slot.status.state == "InUse"


async def test_slots_pinned_to_a_zone_are_for_that_zone(running: Region) -> None:
    one, two, _ = running.under_test.zones
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_port_pool("web", {"name": "a", "zone": one}, {"name": "b", "zone": two})
    await running.slots_are_reserved(2)
    await running.add_machine("w-0", zone=two, portPoolRef=POOL)
    await running.machine_is_provisioned("w-0")
    await running.add_machine("w-1", zone=two, portPoolRef=POOL)
    said = await running.says(VerdaMachine, "w-1", "NoFreeSlot")
    assert said == f"no free slot in port pool web for zone {two}: 1 of 1 in use"
    slots = await running.slots()
    assert slots["a"].spec.claim is None
    claim = slots["b"].spec.claim
    assert claim is not None
    assert claim.name == "w-0"
    await running.add_port_pool(
        "web", {"name": "a", "zone": one}, {"name": "b", "zone": two}, {"name": "c"}
    )
    await running.machine_is_provisioned("w-1")  # by itself, with the new slot


async def test_a_retired_slot_goes_when_its_server_has_gone(running: Region) -> None:
    zone = running.under_test.zones[0]
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_port_pool("web", {"name": "1"}, {"name": "2"})
    slots = await running.slots_are_reserved(2)
    await running.add_machine("w-0", zone=zone, portPoolRef=POOL)
    machine = await running.machine_is_provisioned("w-0")
    used = next(n for n, s in slots.items() if s.status.port_id == machine.status.port_id)
    await running.add_port_pool("web", {"name": "2" if used == "1" else "1"})

    async def retiring() -> bool:
        return (await running.slots())[used].status.state == "Retiring"

    await eventually(retiring)
    assert (await running.verda.network.port(machine.status.port_id or "")).device_id
    await running.client.delete(VerdaMachine, "w-0", running.namespace)
    await running.gone(VerdaPort, f"web.{used}")
    left = {p.id for p in await running.verda.network.ports() if "router" not in p.device_owner}
    assert left == {s.status.port_id for n, s in slots.items() if n != used}


async def test_a_cluster_takes_its_ports_with_it(running: Region) -> None:
    before = await running.census()
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_port_pool("web", *({"name": f"{n}"} for n in range(5)))
    await running.slots_are_reserved(5)
    await running.client.delete(VerdaCluster, "demo", running.namespace)
    await running.gone(VerdaPortPool, "web")
    await running.gone(VerdaCluster, "demo")
    assert await running.census() == before


async def test_an_address_that_is_taken_is_waited_for(running: Region) -> None:
    await running.add_cluster()
    cluster = await running.core_sees_infrastructure()
    network = cluster.status.network
    request = PortRequest(name="other", network_id=network.network_id, subnet_id=network.subnet_id)
    other = await running.verda.network.create_port("somebody", request)
    await running.add_port_pool("web", {"name": "1", "address": other.ip})
    said = await running.says(VerdaPortPool, "web", "AddressInUse")
    assert other.ip in said
    await running.add_machine("w-0", zone=running.under_test.zones[0], portPoolRef=POOL)
    assert other.ip in await running.says(VerdaMachine, "w-0", "NoFreeSlot")
    await running.verda.network.delete_port(other.id)
    machine = await running.machine_is_provisioned("w-0")
    port = await running.verda.network.port(machine.status.port_id or "")
    assert port.ip == other.ip


async def test_a_port_that_somebody_deleted_comes_back_as_it_was(running: Region) -> None:
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_port_pool("web", {"name": "1"})
    port = (await running.slots_are_reserved(1))["1"].status
    await running.verda.network.delete_port(port.port_id)
    body = {"metadata": {"labels": {"look": "again"}}}
    await running.client.merge_patch(VerdaPort, "web.1", running.namespace, body)

    async def remade() -> bool:
        return (await running.slots())["1"].status.port_id != port.port_id

    await eventually(remade)
    slot = (await running.slots())["1"].status
    assert (slot.address, slot.mac_address) == (port.address, port.mac_address)
    found = await running.verda.network.port(slot.port_id)
    assert (found.ip, found.mac_address) == (port.address, port.mac_address)


async def test_a_stale_server_on_a_slot_is_evicted(running: Region) -> None:
    """A request that was on its way while its sender was killed and the slot released."""
    zone = running.under_test.zones[0]
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_port_pool("web", {"name": "1"})
    await running.slots_are_reserved(1)
    await running.add_machine("w-0", zone=zone, portPoolRef=POOL)
    await running.machine_is_provisioned("w-0")
    (server,) = await running.verda.compute.servers()
    assert server.metadata["vks.slot-token"] == "1"
    await running.client.delete(VerdaMachine, "w-0", running.namespace)
    await running.gone(VerdaMachine, "w-0")

    late = await boot_like(running, server.metadata, (await running.slots())["1"].status.port_id)
    await running.add_machine("w-1", zone=zone, portPoolRef=POOL)
    machine = await running.machine_is_provisioned("w-1")
    assert machine.status.server_id != late
    assert [s.name for s in await running.verda.compute.servers()] == ["w-1"]


async def test_a_strangers_server_on_a_slot_is_left_alone(running: Region) -> None:
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_port_pool("web", {"name": "1"})
    port = (await running.slots_are_reserved(1))["1"].status
    stranger = await boot_like(running, {}, port.port_id)
    await running.add_machine("w-0", zone=running.under_test.zones[0], portPoolRef=POOL)
    said = await running.says(VerdaMachine, "w-0", "PortInUse")
    assert said == f"{port.address} is used by server {stranger}, which is not of this pool"
    await running.verda.compute.delete_server(stranger)
    await running.machine_is_provisioned("w-0")


async def test_a_machine_goes_although_a_strangers_server_has_its_port(running: Region) -> None:
    """Its own server was deleted behind its back, and the address given to somebody else."""
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_port_pool("web", {"name": "1"})
    port = (await running.slots_are_reserved(1))["1"].status
    await running.add_machine("w-0", zone=running.under_test.zones[0], portPoolRef=POOL)
    own = (await running.machine_is_provisioned("w-0")).status.server_id
    assert own is not None
    await running.verda.compute.delete_server(own)

    async def let_go() -> bool:
        return not (await running.verda.network.port(port.port_id)).device_id

    await eventually(let_go, 30.0)
    stranger = await boot_like(running, {}, port.port_id)
    await running.client.delete(VerdaMachine, "w-0", running.namespace)
    await running.gone(VerdaMachine, "w-0")
    assert (await running.slots())["1"].spec.claim is None
    assert [s.id for s in await running.verda.compute.servers()] == [stranger]


async def boot_like(region: Region, metadata: dict[str, str], port_id: str) -> str:
    """Boot a server on the port outside of the provider; its id."""
    flavor = (await region.verda.compute.flavors())[0]
    image = (await region.verda.image.images())[0]
    marks = {k: v for k, v in metadata.items() if k != "vks.owner"}
    request = ServerRequest("late", flavor.id, image.id, (port_id,), metadata=marks)
    return await region.verda.compute.create_server("nobody", request)


async def test_what_may_be_given_back_is_left_alone_by_every_deletion(running: Region) -> None:
    """Of a port that was taken over neither it nor its holder's server goes, whoever is forced out;
    once it is the cluster's for good, both do."""
    zone = running.under_test.zones[0]
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_port_pool("web", {"name": "1"})
    await running.slots_are_reserved(1)
    await running.add_machine("w-0", zone=zone, portPoolRef=POOL)
    machine = await running.machine_is_provisioned("w-0")
    await retain(running, "Retain")
    await force_out(running, "w-0")
    said = await running.says(VerdaPort, "web.1", "PortInUse")
    assert "not let go" in said
    assert (await running.verda.compute.server(machine.status.server_id or "")).status == "ACTIVE"

    await retain(running, "Delete")

    async def freed() -> bool:
        return (await running.slots())["1"].spec.claim is None

    await eventually(freed)
    assert await running.verda.compute.servers() == []
    await retain(running, "Retain")
    await running.client.delete(VerdaPortPool, "web", running.namespace)
    await running.gone(VerdaPortPool, "web")
    assert await running.verda.network.port(machine.status.port_id or "")


async def force_out(region: Region, machine: str) -> None:
    """As somebody does who removes finalizers by hand."""
    held = {"metadata": {"annotations": {PAUSED_ANNOTATION: ""}}}
    await region.client.merge_patch(VerdaMachine, machine, region.namespace, held)

    async def paused() -> bool:
        found = find_condition((await region.machine(machine)).status.conditions, "Paused")
        return found is not None and found.status == "True"

    await eventually(paused)
    await region.client.delete(VerdaMachine, machine, region.namespace)
    patch = {"metadata": {"finalizers": None}}
    await region.client.merge_patch(VerdaMachine, machine, region.namespace, patch)


async def retain(region: Region, policy: str) -> None:
    patch = {"spec": {"deletionPolicy": policy}}
    await region.client.merge_patch(VerdaPort, "web.1", region.namespace, patch)
