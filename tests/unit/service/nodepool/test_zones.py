"""How a pool's machines are spread."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from vks.service.nodepool.zones import distribute

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
