"""A pool's limits hold over all of its zones, whatever moves in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.service.builders import ZONES, managed_cluster, node_pool

from vks.kube.objects import Condition, ObjectMeta
from vks.resources.clusterapi import (
    Machine,
    MachineDeployment,
    MachineDeploymentSpec,
    MachineSet,
    MachineStatus,
    MachineTemplateMachineSpec,
    MachineTemplateSpec,
)
from vks.resources.fields import ContractReference
from vks.resources.nodepool import NodePoolSpec, StaticIPSpec
from vks.resources.verdaport import SlotSpec
from vks.service.nodepool.turns import Zone, look, on_turn
from vks.service.provisioners.capi.rolling import hold_back, outdated
from vks.service.provisioners.capi.workers import pool_manifests


@dataclass
class Model:
    """A MachineDeployment as Cluster API moves it: `old` machines go, `new` come, and are `ready`
    later."""

    wanted: int
    old: int
    new: int = 0
    ready: int = 0
    rolls: bool = False

    @property
    def total(self) -> int:
        return self.old + self.new

    @property
    def well(self) -> int:
        return self.old + self.ready

    @property
    def done(self) -> bool:
        return self.old == 0 and self.ready == self.wanted

    def step(self, surge: int, unavailable: int, first: bool) -> None:
        """One thing that may happen next; `first` prefers making over taking away."""
        makes = self.rolls and self.new < self.wanted and self.total < self.wanted + surge
        takes = self.rolls and self.old > 0 and self.well > self.wanted - unavailable
        if self.ready < self.new and not first:
            self.ready += 1
        elif makes and (first or not takes):
            self.new += 1
        elif takes:
            self.old -= 1
        elif self.ready < self.new:
            self.ready += 1

    @property
    def seen(self) -> Zone:
        current = self.ready if self.rolls else self.old
        return Zone(self.wanted, self.total, self.well, self.total == current == self.wanted)


def begin(zones: dict[str, Model], spec: NodePoolSpec) -> None:
    """What the controller does on every look."""
    desired = {name: zone.wanted for name, zone in zones.items()}
    seen = {name: zone.seen for name, zone in zones.items()}
    waiting = [name for name, zone in zones.items() if not zone.rolls]
    for name in on_turn(spec, desired, seen, waiting):
        zones[name].rolls = True


counts = st.lists(st.integers(0, 4), min_size=3, max_size=3)
limits = st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(any)
moves = st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60)


@given(counts, limits, moves)
def test_a_pool_never_has_more_or_fewer_nodes_than_its_limits_say_and_all_of_it_rolls(
    wanted: list[int], limit: tuple[int, int], moves: list[tuple[int, bool]]
) -> None:
    surge, unavailable = limit
    spec = node_pool(max_surge=surge, max_unavailable=unavailable).spec
    zones = {name: Model(count, count) for name, count in zip(ZONES, wanted, strict=True)}
    to_the_end = [(number % 3, True) for number in range(300)]
    for index, first in [*moves, *to_the_end]:
        begin(zones, spec)
        zones[ZONES[index]].step(surge, unavailable, first)
        assert sum(zone.total for zone in zones.values()) <= sum(wanted) + surge
        assert sum(zone.well for zone in zones.values()) >= sum(wanted) - unavailable
    assert all(zone.done for zone in zones.values())


CALM = dict.fromkeys(ZONES, Zone(1, 1, 1, settled=True))


def turn(zones: dict[str, Zone], changed: Iterable[str], **spec: Any) -> set[str]:
    return on_turn(node_pool(**spec).spec, dict.fromkeys(ZONES, 1), zones, changed)


def test_zones_roll_one_after_the_other_unless_the_pool_may_surge_more() -> None:
    assert turn(CALM, ZONES) == {"tokyo-1"}
    assert turn(CALM, ZONES, max_surge=2) == {"tokyo-1", "tokyo-2"}
    assert turn(CALM, ZONES, max_surge=0, max_unavailable=3) == {*ZONES}
    rolling = CALM | {"tokyo-1": Zone(1, 2, 1, settled=False)}
    assert turn(rolling, ["tokyo-2", "tokyo-3"]) == set()
    assert turn(rolling, ["tokyo-2", "tokyo-3"], max_surge=2) == {"tokyo-2"}
    assert turn(CALM, []) == set()


def test_what_an_earlier_change_left_half_way_goes_first() -> None:
    assert turn(CALM | {"tokyo-3": Zone(1, 2, 1, settled=False)}, ZONES) == {"tokyo-3"}


def test_a_zone_whose_node_is_ill_does_not_hold_up_the_others() -> None:
    assert turn(CALM | {"tokyo-1": Zone(1, 1, 0, settled=False)}, ZONES) == {"tokyo-2"}


def slots(number: int) -> StaticIPSpec:
    return StaticIPSpec(slots=tuple(SlotSpec(name=str(n)) for n in range(number)))


def test_zones_without_a_spare_slot_take_nodes_away_one_after_the_other() -> None:
    assert turn(CALM, ZONES, static_ip=slots(3)) == {"tokyo-1"}
    gone = CALM | {"tokyo-1": Zone(1, 1, 0, settled=False)}
    assert turn(gone, ["tokyo-2", "tokyo-3"], static_ip=slots(3)) == set()
    assert turn(CALM, ZONES, static_ip=slots(6), max_surge=3) == {*ZONES}


def deployed(template: str) -> MachineDeployment:
    return MachineDeployment(
        metadata=ObjectMeta(name="demo-default-tokyo-2"),
        spec=MachineDeploymentSpec(replicas=1, template=of(template)),
    )


def of(template: str) -> MachineTemplateSpec:
    reference = ContractReference(name=template)
    spec = MachineTemplateMachineSpec(failure_domain="tokyo-2", infrastructure_ref=reference)
    return MachineTemplateSpec(spec=spec)


def machine_set(name: str, template: str) -> MachineSet:
    labels = {"cluster.x-k8s.io/deployment-name": "demo-default-tokyo-2"}
    spec = MachineDeploymentSpec(template=of(template))
    return MachineSet(metadata=ObjectMeta(name=name, labels=labels), spec=spec)


def machine(owner: str, *, ready: bool = True, going: str | None = None) -> Machine:
    labels = {
        "cluster.x-k8s.io/deployment-name": "demo-default-tokyo-2",
        "cluster.x-k8s.io/set-name": owner,
    }
    condition = Condition(type="Ready", status="True" if ready else "False")
    return Machine(
        metadata=ObjectMeta(name=f"{owner}-x", labels=labels, deletion_timestamp=going),
        status=MachineStatus(conditions=(condition,)),
    )


@pytest.mark.parametrize(
    ("machines", "seen"),
    [
        ([machine("new")], Zone(1, 1, 1, settled=True)),
        ([machine("new", ready=False)], Zone(1, 1, 0, settled=False)),
        ([machine("old")], Zone(1, 1, 1, settled=False)),
        ([machine("old"), machine("new")], Zone(1, 2, 2, settled=False)),
        ([machine("old", going="now"), machine("new")], Zone(1, 2, 1, settled=False)),
        ([], Zone(1, 0, 0, settled=False)),
    ],
)
def test_a_zone_is_settled_when_its_machines_are_of_its_template(
    machines: list[Machine], seen: Zone
) -> None:
    sets = [machine_set("old", "a"), machine_set("new", "b")]
    assert look([deployed("b")], sets, machines) == {"tokyo-2": seen}


def test_machines_are_not_of_a_template_that_core_has_not_seen_yet() -> None:
    sets = [machine_set("old", "a")]
    assert not look([deployed("b")], sets, [machine("old")])["tokyo-2"].settled


def test_a_zone_whose_turn_it_is_not_keeps_its_machines() -> None:
    made = pool_manifests(managed_cluster(), node_pool(), dict.fromkeys(ZONES, 1))
    old = deployed("old")
    assert set(outdated(made, [old])) == {"tokyo-2"}
    wanted = next(m for m in made if m.key.name == old.metadata.name)
    held = hold_back(wanted, old).body["spec"]
    template = held["template"]["spec"]
    assert template["infrastructureRef"]["name"] == "old"
    assert (held["replicas"], template["failureDomain"]) == (1, "tokyo-2")
