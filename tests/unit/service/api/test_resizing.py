"""What a change of a pool's addresses makes of the slots that are there."""

from __future__ import annotations

from typing import Any

from vks.kube.objects import ObjectMeta
from vks.resources.fields import LocalReference
from vks.resources.nodepool import StaticIPSpec
from vks.resources.verdaport import SlotClaim, SlotSpec, VerdaPort, VerdaPortSpec, VerdaPortStatus
from vks.service.api.findings import Findings
from vks.service.api.resizing import check_resize, resize
from vks.service.api.static_ip_models import StaticIP
from vks.service.api.staticip import Addresses
from vks.verda.network import Subnet

PRESENT = [SlotSpec(name="1"), SlotSpec(name="2"), SlotSpec(name="3")]


def port(number: int, node: str | None = None) -> VerdaPort:
    claim = SlotClaim(kind="VerdaMachine", name=node, owner=node) if node else None
    return VerdaPort(
        metadata=ObjectMeta(name=f"demo.web.{number}"),
        spec=VerdaPortSpec(
            cluster_name="demo", pool_ref=LocalReference(name="demo.web"), claim=claim
        ),
        status=VerdaPortStatus(address=f"10.0.0.{number}", port_id=f"p{number}"),
    )


PORTS = {"1": port(1, "n1"), "2": port(2), "3": port(3, "n3")}


def resized(**request: Any) -> tuple[list[SlotSpec], list[tuple[str, str]]]:
    found = Findings()
    slots = resize(StaticIP(**request), PRESENT, PORTS, found)
    return slots, [(problem.field, problem.message) for problem in found.invalid]


def test_more_slots_get_new_numbers() -> None:
    slots, wrong = resized(count=5)
    assert [slot.name for slot in slots] == ["1", "2", "3", "4", "5"]
    assert wrong == []


def test_of_fewer_slots_the_free_ones_go() -> None:
    slots, wrong = resized(count=2)
    assert [slot.name for slot in slots] == ["1", "3"]
    assert wrong == []


def test_slots_in_use_cannot_be_counted_away() -> None:
    _, wrong = resized(count=1)
    assert wrong == [("staticIP.count", "2 slots are in use by nodes, which 1 are too few for")]


def test_a_slot_is_known_by_the_address_that_it_got() -> None:
    slots, wrong = resized(addresses=["10.0.0.3", "10.0.0.1", "10.0.0.9"])
    assert [(slot.name, slot.address) for slot in slots] == [
        ("3", None),
        ("1", None),
        ("4", "10.0.0.9"),
    ]
    assert wrong == []


def test_an_address_in_use_cannot_be_left_out() -> None:
    _, wrong = resized(addresses=["10.0.0.1", "10.0.0.2"])
    assert wrong == [("staticIP.addresses", "10.0.0.3 cannot be removed: it is in use by node n3")]


def test_a_slot_can_be_pinned_and_let_loose() -> None:
    slots, _ = resized(
        slots=[{"address": f"10.0.0.{n}", "zone": "tokyo-1" if n == 2 else None} for n in (1, 2, 3)]
    )
    assert [slot.zone for slot in slots] == [None, "tokyo-1", None]


def test_a_pools_own_addresses_are_not_taken_by_others() -> None:
    subnet = Subnet(id="s1", network_id="n", cidr="10.0.0.0/24", gateway_ip="10.0.0.254")
    taken = {"10.0.0.1": "port p1", "10.0.0.2": "port p2", "10.0.0.3": "port p3"}
    addresses = Addresses(True, (subnet,), {**taken, "10.0.0.8": "port x"})
    found = Findings()
    request = StaticIP(addresses=[f"10.0.0.{n}" for n in (1, 2, 3, 8)])
    static = StaticIPSpec(slots=tuple(PRESENT))
    check_resize(request, static, PORTS, addresses, ["tokyo-1"], 4, found)
    assert [(p.field, p.message) for p in found.invalid] == [
        ("staticIP.addresses.3", "10.0.0.8 is used by port x")
    ]
