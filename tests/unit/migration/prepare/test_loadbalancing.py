"""The load balancer's members are the control planes that vote."""

from __future__ import annotations

import msgspec
from tests.unit.legacy.builders import LEARNER, node

from vks.migration.prepare.loadbalancing import member_change
from vks.resources.legacycluster import LegacyGuest
from vks.resources.legacynode import LegacyNode, NodePreparation
from vks.verda.loadbalancer import Member


def member(age: int, state: str = "ENABLED") -> Member:
    address = f"10.0.0.{age + 1}"
    return Member(id=f"m{age}", name="x", address=address, port=6443, admin_state=state)


def drained(found: LegacyNode) -> LegacyNode:
    spec = msgspec.structs.replace(found.spec, preparation=NodePreparation(drained=True))
    return msgspec.structs.replace(found, spec=spec)


def test_who_votes_comes_and_who_is_gone_goes() -> None:
    planes = [node("a", age=0), node("b", age=1), node("c", age=2, etcd=LEARNER)]
    change = member_change(planes, [member(0), member(7)])
    assert [found.metadata.name for found in change.add] == ["b"]
    assert [found.id for found in change.remove] == ["m7"]
    assert change.states == []


def test_who_is_drained_gets_no_new_connections_until_it_is_used_again() -> None:
    planes = [drained(node("a", age=0)), node("b", age=1)]
    change = member_change(planes, [member(0), member(1, "DRAINING")])
    assert {found.id: state for found, state in change.states} == {
        "m0": "DRAINING",
        "m1": "ENABLED",
    }
    settled = member_change(planes, [member(0, "DRAINING"), member(1)])
    assert (settled.add, settled.remove, settled.states) == ([], [], [])


def test_guests_stay_as_they_are() -> None:
    guest = LegacyGuest(name="g", address="10.0.0.8", zone="z1", state="Leaves")
    change = member_change([node("a", age=0)], [member(0), member(7, "DRAINING")], [guest])
    assert (change.add, change.remove, change.states) == ([], [], [])
