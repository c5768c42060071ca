"""How a pool's machines are spread."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.service.builders import node_pool

from vks.resources.nodepool import AutoscalingSpec
from vks.service.nodepool.zones import bounds_of, distribute, wanted

ZONES = ["z1", "z2", "z3", "z4", "z5"]
some_zones = st.lists(st.sampled_from(ZONES), min_size=1, max_size=5, unique=True)
counts = st.dictionaries(st.sampled_from(ZONES), st.integers(0, 12))


def moves(before: dict[str, int], after: dict[str, int]) -> int:
    return sum(abs(before.get(zone, 0) - after.get(zone, 0)) for zone in {*before, *after})


@given(st.integers(0, 30), some_zones, counts)
def test_every_replica_has_a_zone_and_no_zone_is_favoured(
    replicas: int, zones: list[str], current: dict[str, int]
) -> None:
    answer = distribute(replicas, zones, current)
    wanted = [answer[zone] for zone in zones]
    assert sum(wanted) == replicas
    assert max(wanted) - min(wanted) <= 1
    assert all(count == 0 for zone, count in answer.items() if zone not in zones)


@given(st.integers(0, 30), some_zones, counts)
def test_zones_that_are_left_are_emptied(
    replicas: int, zones: list[str], current: dict[str, int]
) -> None:
    assert {*zones, *current} == set(distribute(replicas, zones, current))


@given(st.integers(0, 30), some_zones, counts)
def test_the_answer_for_its_own_answer_is_itself(
    replicas: int, zones: list[str], current: dict[str, int]
) -> None:
    answer = distribute(replicas, zones, current)
    assert distribute(replicas, zones, answer) == answer


@given(st.integers(0, 12), some_zones, counts)
def test_no_balanced_distribution_moves_less(
    replicas: int, zones: list[str], current: dict[str, int]
) -> None:
    base, rest = divmod(replicas, len(zones))
    best = min(
        moves(
            current,
            {zone: base + (zone in chosen) for zone in zones},
        )
        for chosen in itertools.combinations(zones, rest)
    )
    assert moves(current, distribute(replicas, zones, current)) == best


def test_three_over_three_zones_is_one_each() -> None:
    assert distribute(3, ZONES[:3], {}) == {"z1": 1, "z2": 1, "z3": 1}


def test_scaling_3_5_2_takes_the_extra_ones_first() -> None:
    five = distribute(5, ZONES[:3], {"z1": 1, "z2": 1, "z3": 1})
    assert five == {"z1": 2, "z2": 2, "z3": 1}
    assert distribute(2, ZONES[:3], five) == {"z1": 1, "z2": 1, "z3": 0}


@given(st.integers(0, 20), st.integers(0, 20), some_zones)
def test_the_bounds_of_zones_add_up_to_those_of_the_pool(
    least: int, more: int, zones: list[str]
) -> None:
    scaling = AutoscalingSpec(min=least, max=least + more)
    bounds = bounds_of(node_pool(zones=tuple(zones), autoscaling=scaling).spec).values()
    assert sum(b.min for b in bounds) == least
    assert sum(b.max for b in bounds) == least + more
    assert all(b.min <= b.max for b in bounds)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 30), some_zones, counts)
def test_what_the_autoscaler_chose_within_its_bounds_stays(
    least: int, more: int, start: int, zones: list[str], current: dict[str, int]
) -> None:
    scaling = AutoscalingSpec(min=least, max=least + more)
    spec = node_pool(replicas=start, zones=tuple(zones), autoscaling=scaling).spec
    answer = wanted(spec, current)
    for zone, (low, high) in bounds_of(spec).items():
        assert low <= answer[zone] <= high
        if zone in current and low <= current[zone] <= high:
            assert answer[zone] == current[zone]
    assert wanted(spec, answer) == answer


def test_a_pool_of_fixed_size_has_no_bounds() -> None:
    assert bounds_of(node_pool().spec) == {}
