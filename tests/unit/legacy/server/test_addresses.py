"""Reserving the addresses of pools: one that cannot be had is in nobody's way."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
from tests.unit.legacy.builders import cluster, pool

from vks.legacy.server.legacycluster.addresses import keep_slots
from vks.resources.legacycluster import LegacyCluster, LegacySlot, slot_owner
from vks.resources.verdacluster import NetworkStatus
from vks.resources.verdaport import SlotSpec
from vks.verda.errors import Conflict
from vks.verda.network import NetworkClient, Port, PortRequest

NETWORK = NetworkStatus(network_id="n", subnet_id="s", security_group_id="g")
SLOTS = tuple(SlotSpec(name=name, address=f"10.0.0.{name}") for name in "123")


class Neutron:
    """Somebody else has some of the addresses, or uses ports of ours."""

    def __init__(self, taken: str = "", bound: str = "") -> None:
        self._taken = {f"10.0.0.{name}" for name in taken}
        self._bound = {f"p-{name}" for name in bound}

    async def create_port(self, owner: str, request: PortRequest) -> Port:
        if request.ip_address in self._taken:
            raise Conflict(f"{request.ip_address} is in use", status=409)
        return Port(id=f"port of {owner}", network_id="n")

    async def ports_of(self, owner: str) -> list[Port]:
        return [Port(id=f"p-{name}", network_id="n") for name in "123" if owner == _owner(name)]

    async def delete_port(self, port_id: str) -> bool:
        if port_id in self._bound:
            raise Conflict("a server has it", status=409)
        return True


def _owner(slot: str) -> str:
    return slot_owner(cluster().metadata.uid, "default", slot)


def with_slots(known: LegacyCluster, **ports: str) -> LegacyCluster:
    """On record, by slot and port."""
    slots = tuple(LegacySlot(pool="default", name=n[1:], port_id=p) for n, p in ports.items())
    return msgspec.structs.replace(known, status=msgspec.structs.replace(known.status, slots=slots))


def kept(neutron: Neutron, known: LegacyCluster) -> tuple[dict[str, str], str]:
    """Ports by slot, and why one of them waits."""
    client: Any = neutron
    slots, blocked = asyncio.run(keep_slots(cast(NetworkClient, client), known, NETWORK, []))
    return {slot.name: slot.port_id for slot in slots}, blocked.reason if blocked else ""


def test_the_others_are_reserved_when_one_address_is_taken() -> None:
    asked = with_slots(cluster(pool(slots=SLOTS)), _1="", _2="", _3="")
    found, why = kept(Neutron(taken="2"), asked)
    assert found == {"1": f"port of {_owner('1')}", "2": "", "3": f"port of {_owner('3')}"}
    assert why == "AddressInUse"
    assert kept(Neutron(), asked)[1] == ""


def test_a_slot_is_on_record_before_its_port_is_made() -> None:
    assert kept(Neutron(), cluster(pool(slots=SLOTS[:1]))) == ({"1": ""}, "")


def test_the_others_are_given_back_while_one_is_still_bound() -> None:
    known = with_slots(cluster(pool(slots=SLOTS[:1])), _1="p-1", _2="p-2", _3="p-3")
    assert kept(Neutron(bound="2"), known) == ({"1": "p-1", "2": "p-2"}, "PortInUse")
