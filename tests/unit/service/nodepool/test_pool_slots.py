"""How zones share the slots of a pool with static addresses."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.service.builders import ZONES, managed_cluster, node_pool

from vks.resources.clusterapi import MachineDeployment
from vks.resources.nodepool import StaticIPSpec
from vks.resources.verdaport import SlotSpec, VerdaPortPool
from vks.service.nodepool.slots import surging
from vks.service.nodepool.zones import place
from vks.service.provisioners.capi.workers import pool_manifests

pins = st.lists(st.sampled_from([None, *ZONES]), max_size=12)
currents = st.dictionaries(st.sampled_from(ZONES), st.integers(0, 5))


def slots(*zones: str | None) -> list[SlotSpec]:
    return [SlotSpec(name=str(number), zone=zone) for number, zone in enumerate(zones, 1)]


def missing(wanted: dict[str, int], zones: list[str | None]) -> int:
    """How many machines get no slot."""
    pinned = Counter(zone for zone in zones if zone)
    return max(0, sum(max(0, n - pinned[z]) for z, n in wanted.items()) - zones.count(None))


@given(pins, st.integers(0, 12), currents)
def test_every_machine_has_a_slot_when_there_are_enough(
    zones: list[str | None], replicas: int, current: dict[str, int]
) -> None:
    wanted = place(replicas, ZONES, current, slots(*zones))
    assert sum(wanted.values()) == replicas
    assert missing(wanted, zones) == max(0, replicas - len(zones))


@given(pins, st.integers(0, 12), currents)
def test_the_answer_for_its_own_answer_is_itself(
    zones: list[str | None], replicas: int, current: dict[str, int]
) -> None:
    once = place(replicas, ZONES, current, slots(*zones))
    assert place(replicas, ZONES, once, slots(*zones)) == once


@given(pins, st.integers(0, 12))
def test_zones_that_surge_together_all_find_a_slot(zones: list[str | None], replicas: int) -> None:
    desired = place(replicas, ZONES, {}, slots(*zones))
    surge = surging(desired, slots(*zones))
    most = {zone: count + (zone in surge) for zone, count in desired.items()}
    if replicas <= len(zones):
        assert missing(most, zones) == 0


def test_as_many_slots_as_nodes_never_surge() -> None:
    assert surging({"z1": 1, "z2": 1}, slots(None, None)) == frozenset()
    assert surging({"z1": 1, "z2": 1}, slots("z1", "z2")) == frozenset()


def test_a_spare_slot_lets_one_zone_surge_and_a_pinned_one_its_own() -> None:
    assert surging({"z1": 1, "z2": 1}, slots(None, None, None)) == {"z1"}
    assert surging({"z1": 1, "z2": 1}, slots(None, None, "z2", "z2")) == {"z1", "z2"}
    assert surging({"z1": 1, "z2": 0}, slots(None, "z2")) == frozenset()


def strategies(*zones: str | None) -> dict[str, Any]:
    pool = node_pool(static_ip=StaticIPSpec(slots=tuple(slots(*zones))))
    made = pool_manifests(managed_cluster(), pool, {zone: 1 for zone in ZONES})
    return {
        m.body["spec"]["template"]["spec"]["failureDomain"]: m.body["spec"]["rollout"]["strategy"][
            "rollingUpdate"
        ]
        for m in made
        if m.model is MachineDeployment
    }


def test_a_pool_rolls_as_its_slots_allow() -> None:
    take_away, surge = {"maxSurge": 0, "maxUnavailable": 1}, {"maxSurge": 1, "maxUnavailable": 0}
    assert list(strategies(None, None, None).values()) == [take_away] * 3
    assert list(strategies(*[None] * 4).values()) == [surge, take_away, take_away]
    assert list(strategies(*[None] * 6).values()) == [surge] * 3


def test_a_pool_with_static_addresses_boots_from_a_port_pool_of_its_name() -> None:
    static = StaticIPSpec(subnet_id="s1", slots=tuple(slots(None, "tokyo-1", None)))
    pool = node_pool(static_ip=static)
    made = pool_manifests(managed_cluster(), pool, {"tokyo-1": 3})
    (ports,) = [m.body for m in made if m.model is VerdaPortPool]
    assert ports["spec"] == {
        "clusterName": "demo",
        "subnetID": "s1",
        "slots": [{"name": "1"}, {"name": "2", "zone": "tokyo-1"}, {"name": "3"}],
    }
    assert ports["metadata"]["ownerReferences"][0]["name"] == pool.metadata.name
    assert made[1].body["spec"]["template"]["spec"]["portPoolRef"] == {"name": "demo.default"}
