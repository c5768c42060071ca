"""Which slot is whose, which one is taken, and what is said when there is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.unit.provider.test_decide import observation

from vks.kube.objects import Condition, ObjectMeta
from vks.provider.verdamachine.decide import decide
from vks.provider.verdamachine.observation import (
    ClaimSlot,
    EnsurePort,
    EnsureServer,
    Observation,
    Wait,
)
from vks.provider.verdaport.holding import is_stale, marks
from vks.provider.verdaport.slots import choose, held_by, is_free, predecessor, state_of, why_none
from vks.provider.verdaportpool.plan import plan
from vks.resources.fields import LocalReference
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec, VerdaMachineStatus
from vks.resources.verdaport import (
    SlotClaim,
    SlotSpec,
    VerdaPort,
    VerdaPortPool,
    VerdaPortPoolSpec,
    VerdaPortSpec,
    VerdaPortStatus,
)
from vks.verda.compute import Server

GONE = "2030-01-01T00:00:00Z"


def claim(owner: str = "m") -> SlotClaim:
    return SlotClaim(kind="VerdaMachine", name=owner, owner=owner)


def slot(name: str = "1", *, ready: bool = True, deleting: bool = False, **spec: Any) -> VerdaPort:
    return VerdaPort(
        metadata=ObjectMeta(
            name=f"web.{name}", uid=f"u-{name}", deletion_timestamp=GONE if deleting else None
        ),
        spec=VerdaPortSpec(cluster_name="demo", pool_ref=LocalReference(name="web"), **spec),
        status=VerdaPortStatus(
            port_id=f"p-{name}",
            conditions=(
                Condition(
                    type="Ready",
                    status="True" if ready else "False",
                    message="" if ready else "10.0.0.9 is used by port x",
                ),
            ),
        ),
    )


def holder(**more: Any) -> VerdaMachine:
    return VerdaMachine(
        metadata=ObjectMeta(name="m", uid="m", **more),
        spec=VerdaMachineSpec(flavor="s", image="i"),
        status=VerdaMachineStatus(server_id="s"),
    )


NOT_BOOTED = msgspec.structs.replace(holder(), status=VerdaMachineStatus())


def name_of(port: VerdaPort | None) -> str | None:
    return port.metadata.name if port is not None else None


@pytest.mark.parametrize(
    "port", [slot(claim=claim()), slot(deleting=True), slot(ready=False)], ids=str
)
def test_a_slot_that_is_taken_or_leaving_or_not_reserved_is_not_free(port: VerdaPort) -> None:
    assert not is_free(port)
    assert choose([port], "z1", "me") is None


def test_a_slot_pinned_to_another_zone_is_never_taken() -> None:
    assert choose([slot(zone="z2")], "z1", "me") is None
    assert choose([slot(zone="z2")], None, "me") is None


def test_the_zones_own_slot_comes_first_then_its_predecessors_then_any() -> None:
    pinned, predecessors, other = slot("1", zone="z1"), slot("2", last_zone="z1"), slot("3")
    assert name_of(choose([other, predecessors, pinned], "z1", "me")) == "web.1"
    assert name_of(choose([other, predecessors], "z1", "me")) == "web.2"
    assert name_of(choose([other], "z1", "me")) == "web.3"


def freed(port: VerdaPort, since: str) -> VerdaPort:
    status = msgspec.structs.replace(port.status, state="Free", since=since)
    return msgspec.structs.replace(port, status=status)


def test_of_a_zones_free_slots_the_one_freed_last_comes_first() -> None:
    old = freed(slot("1", last_zone="z1"), "2030-01-01T00:00:00Z")
    new = freed(slot("2", last_zone="z1"), "2030-01-01T00:00:09Z")
    assert name_of(choose([old, new], "z1", "me")) == "web.2"


def test_a_replacement_waits_for_its_predecessors_slot() -> None:
    theirs = slot("1", claim=claim(), last_zone="z1")
    assert name_of(predecessor([slot("2"), theirs], {"web.1"}, "z1")) == "web.1"
    assert predecessor([slot("2"), theirs], {"web.1"}, "z2") is None
    assert predecessor([slot("2"), theirs], set(), "z1") is None


def test_what_was_chosen_before_is_chosen_again_while_it_is_free() -> None:
    pinned, other = slot("1", zone="z1"), slot("2")
    assert name_of(choose([pinned, other], "z1", "me", preferred="web.2")) == "web.2"
    taken = slot("2", claim=claim())
    assert name_of(choose([pinned, taken], "z1", "me", preferred="web.2")) == "web.1"


def test_machines_that_start_together_do_not_all_go_for_one_slot() -> None:
    slots = [slot(str(number)) for number in range(10)]
    chosen = {name_of(choose(slots, "z1", f"machine-{number}")) for number in range(20)}
    assert len(chosen) > 5


def test_a_slot_is_its_owners_even_when_the_name_is_anothers() -> None:
    ports = [slot("1", claim=claim("a")), slot("2", claim=claim("b"))]
    assert name_of(held_by(ports, "b")) == "web.2"
    assert held_by(ports, "c") is None


def test_no_free_slot_is_explained_in_one_sentence() -> None:
    used = [slot("1", claim=claim("a")), slot("2", claim=claim("b"))]
    assert why_none(used, "web", "z1") == "no free slot in port pool web for zone z1: 2 of 2 in use"
    assert why_none([slot(zone="z2")], "web", "z1") == "port pool web has no slot for zone z1"
    said = why_none([*used, slot("3", ready=False)], "web", None)
    assert said.endswith("2 of 3 in use, web.3: 10.0.0.9 is used by port x")


@pytest.mark.parametrize(
    ("port", "machine", "state"),
    [
        (slot(), None, "Free"),
        (slot(claim=claim()), holder(), "InUse"),
        (slot(claim=claim()), NOT_BOOTED, "Claimed"),
        (slot(claim=claim()), holder(deletion_timestamp=GONE), "Releasing"),
        (slot(claim=claim()), None, "Releasing"),
        (slot(claim=claim(), deleting=True), holder(), "Retiring"),
        (msgspec.structs.replace(slot(), status=VerdaPortStatus()), None, "Reserving"),
    ],
)
def test_the_state_of_a_slot(port: VerdaPort, machine: VerdaMachine | None, state: str) -> None:
    assert state_of(port, machine) == state


@pytest.mark.parametrize(
    ("metadata", "port", "stale"),
    [
        ({"vks.slot": "u-1", "vks.slot-token": "4"}, slot(claim=claim(), token=5), True),
        ({"vks.slot": "u-1", "vks.slot-token": "5"}, slot(claim=claim(), token=5), False),
        ({"vks.slot": "u-1", "vks.slot-token": "6"}, slot(claim=claim(), token=5), False),
        ({"vks.slot": "u-1", "vks.slot-token": "5"}, slot(token=5), True),
        ({"vks.slot": "u-2", "vks.slot-token": "4"}, slot(claim=claim(), token=5), False),
        ({"vks.slot": "u-1", "vks.slot-token": "x"}, slot(claim=claim(), token=5), False),
        ({}, slot(claim=claim(), token=5), False),
    ],
)
def test_only_a_server_of_an_ended_claim_is_stale(
    metadata: dict[str, str], port: VerdaPort, stale: bool
) -> None:
    assert is_stale(Server(id="s", metadata=metadata), port) is stale


def test_a_server_carries_what_makes_it_known() -> None:
    assert marks(slot(token=7)) == {"vks.slot": "u-1", "vks.slot-token": "7"}


def pool(*slots: SlotSpec, deleting: bool = False) -> VerdaPortPool:
    return VerdaPortPool(
        metadata=ObjectMeta(name="web", deletion_timestamp=GONE if deleting else None),
        spec=VerdaPortPoolSpec(cluster_name="demo", slots=slots),
    )


def names(ports: tuple[Any, ...]) -> list[str]:
    return [p["metadata"]["name"] if isinstance(p, dict) else p.metadata.name for p in ports]


def test_there_is_one_port_per_slot() -> None:
    changes = plan(pool(SlotSpec(name="1"), SlotSpec(name="2")), [slot("2"), slot("3")])
    assert names(changes.apply) == ["web.1"]
    assert names(changes.retire) == ["web.3"]


def test_a_slot_with_another_address_is_retired_before_it_comes_back() -> None:
    wanted = pool(SlotSpec(name="1", address="10.0.0.7"))
    changes = plan(wanted, [slot("1", address="10.0.0.6")])
    assert (names(changes.apply), names(changes.retire)) == ([], ["web.1"])
    waiting = plan(wanted, [slot("1", address="10.0.0.6", deleting=True)])
    assert (waiting.apply, waiting.retire) == ((), ())
    assert names(plan(wanted, []).apply) == ["web.1"]


def test_a_pin_is_changed_in_place() -> None:
    changes = plan(pool(SlotSpec(name="1", zone="z1")), [slot("1", claim=claim())])
    assert changes.apply[0]["spec"]["zone"] == "z1"
    assert "claim" not in changes.apply[0]["spec"]
    assert changes.retire == ()


def test_a_pool_that_goes_retires_everything() -> None:
    assert names(plan(pool(SlotSpec(name="1"), deleting=True), [slot("1")]).retire) == ["web.1"]


def seen(*slots: VerdaPort, held: VerdaPort | None = None, **known: Any) -> Observation:
    spec = {"port_pool_ref": LocalReference(name="web")}
    return observation(spec=spec, slots=slots, slot=held, **known)


def test_a_machine_of_a_pool_claims_a_slot_before_anything_else() -> None:
    assert decide(seen(slot("1"), bootstrap=None)) == ClaimSlot("web.1")
    waiting = decide(seen(slot("1", claim=claim("a"))))
    assert isinstance(waiting, Wait)
    assert (waiting.reason, waiting.poll) == ("NoFreeSlot", None)


def test_a_machine_waits_for_the_slot_that_its_predecessor_gives_back() -> None:
    leaving = slot("1", claim=claim("a"), last_zone="tokyo-1")
    step = decide(seen(leaving, slot("2"), leaving=frozenset({"web.1"})))
    assert isinstance(step, Wait)
    assert step.reason == "WaitingForSlot"
    assert decide(seen(leaving, slot("2"))) == ClaimSlot("web.2")


def test_a_machine_boots_on_its_slots_port_and_no_other() -> None:
    mine = slot("1", claim=claim("u"))
    assert decide(seen(mine, held=mine)) == EnsurePort()
    other = {"port_id": "p-of-a-slot-that-was-lost", "port_ip": "10.0.0.9"}
    assert decide(seen(mine, held=mine, **other)) == EnsurePort()
    known = {"port_id": "p-1", "port_ip": "10.0.0.1"}
    assert decide(seen(mine, held=mine, **known)) == EnsureServer()
