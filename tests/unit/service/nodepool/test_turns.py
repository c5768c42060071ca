"""A pool's limits hold over all of its zones, whatever moves in which order."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.service.builders import ZONES, managed_cluster, node_pool

from vks.kube.objects import ObjectMeta
from vks.resources.clusterapi import (
    MachineDeployment,
    MachineDeploymentSpec,
    MachineTemplateMachineSpec,
    MachineTemplateSpec,
    ReplicaStatus,
)
from vks.resources.nodepool import NodePoolSpec, StaticIPSpec
from vks.resources.verdaport import SlotSpec
from vks.service.nodepool.turns import on_turn
from vks.service.provisioners.capi.rolling import hold_back, outdated
from vks.service.provisioners.capi.workers import pool_manifests


@dataclass
class Zone:
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

    def deployment(self, name: str) -> MachineDeployment:
        up_to_date = self.ready if self.rolls else self.old
        machine = MachineTemplateMachineSpec(version="v1.36.3", failure_domain=name)
        return MachineDeployment(
            metadata=ObjectMeta(name=f"demo-default-{name}", generation=1),
            spec=MachineDeploymentSpec(
                replicas=self.wanted, template=MachineTemplateSpec(spec=machine)
            ),
            status=ReplicaStatus(
                observed_generation=1,
                replicas=self.total,
                ready_replicas=self.well,
                up_to_date_replicas=up_to_date,
            ),
        )


def begin(zones: dict[str, Zone], spec: NodePoolSpec) -> None:
    """What the controller does on every look."""
    desired = {name: zone.wanted for name, zone in zones.items()}
    deployments = [zone.deployment(name) for name, zone in zones.items()]
    waiting = [name for name, zone in zones.items() if not zone.rolls]
    for name in on_turn(spec, desired, deployments, waiting):
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
    zones = {name: Zone(count, count) for name, count in zip(ZONES, wanted, strict=True)}
    to_the_end = [(number % 3, True) for number in range(300)]
    for index, first in [*moves, *to_the_end]:
        begin(zones, spec)
        zones[ZONES[index]].step(surge, unavailable, first)
        assert sum(zone.total for zone in zones.values()) <= sum(wanted) + surge
        assert sum(zone.well for zone in zones.values()) >= sum(wanted) - unavailable
    assert all(zone.done for zone in zones.values())


def calm(**more: int) -> list[MachineDeployment]:
    return [Zone(1, 1, **more).deployment(zone) for zone in ZONES]


def turn(deployments: list[MachineDeployment], changed: list[str], **spec: object) -> set[str]:
    return on_turn(node_pool(**spec).spec, dict.fromkeys(ZONES, 1), deployments, changed)


def test_zones_roll_one_after_the_other_unless_the_pool_may_surge_more() -> None:
    assert turn(calm(), [*ZONES]) == {"tokyo-1"}
    assert turn(calm(), [*ZONES], max_surge=2) == {"tokyo-1", "tokyo-2"}
    assert turn(calm(), [*ZONES], max_surge=0, max_unavailable=3) == {*ZONES}
    rolling_ = [Zone(1, 1, new=1, rolls=True).deployment("tokyo-1"), *calm()[1:]]
    assert turn(rolling_, ["tokyo-2", "tokyo-3"]) == set()
    assert turn(rolling_, ["tokyo-2", "tokyo-3"], max_surge=2) == {"tokyo-2"}
    assert turn(calm(), []) == set()


def test_what_an_earlier_change_left_half_way_goes_first() -> None:
    half = [*calm()[:2], Zone(1, 1, new=1, rolls=True).deployment("tokyo-3")]
    assert turn(half, [*ZONES]) == {"tokyo-3"}


def test_a_zone_whose_node_is_ill_does_not_hold_up_the_others() -> None:
    ill = [Zone(1, 0, new=1, rolls=True).deployment("tokyo-1"), *calm()[1:]]
    assert turn(ill, [*ZONES]) == {"tokyo-2"}


def slots(number: int) -> StaticIPSpec:
    return StaticIPSpec(slots=tuple(SlotSpec(name=str(n)) for n in range(number)))


def test_zones_without_a_spare_slot_take_nodes_away_one_after_the_other() -> None:
    assert turn(calm(), [*ZONES], static_ip=slots(3)) == {"tokyo-1"}
    gone = [Zone(1, 0, new=1, rolls=True).deployment("tokyo-1"), *calm()[1:]]
    assert turn(gone, ["tokyo-2", "tokyo-3"], static_ip=slots(3)) == set()
    assert turn(calm(), [*ZONES], static_ip=slots(6), max_surge=3) == {*ZONES}


def test_a_zone_whose_turn_it_is_not_keeps_its_machines() -> None:
    made = pool_manifests(managed_cluster(), node_pool(), dict.fromkeys(ZONES, 1))
    old = Zone(1, 1).deployment("tokyo-2")
    assert set(outdated(made, [old])) == {"tokyo-2"}
    wanted = next(m for m in made if m.key.name == old.metadata.name)
    held = hold_back(wanted, old).body["spec"]
    template, new = held["template"]["spec"], wanted.body["spec"]["template"]["spec"]
    assert template["infrastructureRef"] != new["infrastructureRef"]
    assert (held["replicas"], template["failureDomain"]) == (1, "tokyo-2")
