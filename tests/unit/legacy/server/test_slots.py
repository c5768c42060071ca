"""Which nodes of a pool with reserved addresses come and go, and which address each gets."""

from __future__ import annotations

from tests.unit.legacy.builders import ZONES, cluster, node, pool

from vks.legacy.server.legacycluster.decide import Create, Remove, decide
from vks.resources.legacycluster import LegacyPoolSpec
from vks.resources.legacynode import LegacyNode
from vks.resources.verdaport import SlotSpec

ONE, TWO, THREE = (SlotSpec(name=name) for name in ("1", "2", "3"))
LOST = {"ServerReady": "ServerNotFound", "Ready": "x"}


def worker(name: str, slot: str, zone: str = "z1", **more: object) -> LegacyNode:
    return node(name, "worker", zone=zone, slot=slot, **more)  # type: ignore[arg-type]


def changes(wanted: LegacyPoolSpec, *workers: LegacyNode) -> list[str]:
    """What is decided beside three control planes that are well."""
    planes = [node(f"cp-{n}", zone=zone, image=wanted.image) for n, zone in enumerate(ZONES)]
    told = []
    for change in decide(cluster(wanted, image=wanted.image), [*planes, *workers]):
        match change:
            case Create(spec=spec):
                told.append(f"+{spec.slot}@{spec.zone}")
            case Remove(node=gone, reason=reason):
                told.append(f"-{gone.metadata.name}:{reason}")
    return told


def test_every_new_node_gets_an_address_of_its_own() -> None:
    assert changes(pool(slots=(ONE, TWO))) == ["+1@z1", "+2@z2"]


def test_addresses_that_are_pinned_to_a_zone_are_for_it() -> None:
    pinned = SlotSpec(name="1", zone="z2")
    assert changes(pool(slots=(pinned, TWO))) == ["+2@z1", "+1@z2"]
    assert changes(pool(slots=(pinned,))) == ["+1@z2"]


def test_a_successor_waits_for_the_address_of_the_node_that_leaves() -> None:
    wanted = pool(slots=(ONE, TWO, THREE))
    lost, other = worker("w-1", "1", conditions=LOST), worker("w-2", "2", "z2")
    assert changes(wanted, lost, other) == ["-w-1:ServerLost"]
    leaving = worker("w-1", "1", deleting=True)
    assert changes(wanted, leaving, other) == []
    assert changes(wanted, other) == ["+1@z1"]


def test_without_a_spare_address_a_node_goes_before_its_successor_comes() -> None:
    wanted = pool(image="i2", slots=(ONE, TWO))
    assert changes(wanted, worker("w-1", "1"), worker("w-2", "2", "z2")) == ["-w-1:Replaced"]
    assert changes(wanted, worker("w-1", "1", deleting=True), worker("w-2", "2", "z2")) == []
    assert changes(wanted, worker("w-2", "2", "z2")) == ["+1@z1"]
    new = worker("w-3", "1", image="i2")
    assert changes(wanted, new, worker("w-2", "2", "z2")) == ["-w-2:Replaced"]


def test_with_a_spare_address_the_successor_comes_first() -> None:
    wanted = pool(image="i2", slots=(ONE, TWO, THREE))
    assert changes(wanted, worker("w-1", "1"), worker("w-2", "2", "z2")) == ["+3@z1"]
