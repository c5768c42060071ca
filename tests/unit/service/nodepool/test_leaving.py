"""Which zone has one less when one chosen node is deleted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.unit.service.builders import node_pool

from vks.kube.objects import ObjectMeta
from vks.resources.clusterapi import Machine, MachineSpec
from vks.resources.nodepool import AutoscalingSpec
from vks.service.nodepool.leaving import spread

Z1, Z2, Z3 = "tokyo-1", "tokyo-2", "tokyo-3"


def machines(counts: Mapping[str, int]) -> list[Machine]:
    """Named `ZONE/NUMBER`."""
    return [
        Machine(metadata=ObjectMeta(name=f"{zone}/{number}"), spec=MachineSpec(failure_domain=zone))
        for zone, count in counts.items()
        for number in range(count)
    ]


@pytest.mark.parametrize("zone", [Z1, Z2, Z3])
def test_exactly_the_zone_of_the_node_has_one_less(zone: str) -> None:
    counts = {Z1: 2, Z2: 2, Z3: 1}
    pool = node_pool(replicas=4, leaving=(f"{zone}/0",))
    after = spread(pool, counts, machines(counts))
    assert after == counts | {zone: counts[zone] - 1}


def test_the_bounds_of_the_autoscaler_hold_whatever_the_numbers_add_up_to() -> None:
    pool = node_pool(replicas=0, autoscaling=AutoscalingSpec(min=3, max=9))
    assert spread(pool, {Z1: 0, Z2: 0, Z3: 0}, []) == {Z1: 1, Z2: 1, Z3: 1}


def test_the_answer_stays_while_the_node_goes_and_after() -> None:
    pool = node_pool(replicas=4, leaving=("tokyo-3/0",))
    lowered = {Z1: 2, Z2: 2, Z3: 0}
    assert spread(pool, lowered, machines({Z1: 2, Z2: 2, Z3: 1})) == lowered, "it still runs"
    assert spread(pool, lowered, machines({Z1: 2, Z2: 2})) == lowered, "it is gone"


def test_scaling_evens_out_what_a_deletion_left() -> None:
    counts = {Z1: 2, Z2: 2, Z3: 0}
    assert spread(node_pool(replicas=6), counts, machines(counts)) == {Z1: 2, Z2: 2, Z3: 2}


def test_two_nodes_of_one_zone_may_go_at_once() -> None:
    counts = {Z1: 2, Z2: 2, Z3: 2}
    pool = node_pool(replicas=4, leaving=("tokyo-2/0", "tokyo-2/1"))
    assert spread(pool, counts, machines(counts)) == {Z1: 2, Z2: 0, Z3: 2}


def test_a_pool_that_nobody_left_is_even() -> None:
    assert spread(node_pool(replicas=4), {}, []) == {Z1: 2, Z2: 1, Z3: 1}
