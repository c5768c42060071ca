"""Taints of a pool among the taints of others."""

from __future__ import annotations

from vks.resources.fields import Taint
from vks.service.nodepool.nodes import merge

OTHERS = {
    "key": "node.kubernetes.io/not-ready",
    "effect": "NoExecute",
    "timeAdded": "2026-11-23T12:00:00Z",
}
OLD = {"key": "gpu", "value": "a", "effect": "NoSchedule"}
NEW = Taint(key="gpu", value="b", effect="NoSchedule")


def test_taints_of_others_stay() -> None:
    assert merge([OTHERS], [], [NEW]) == [
        OTHERS,
        {"key": "gpu", "effect": "NoSchedule", "value": "b"},
    ]


def test_a_taint_that_the_pool_dropped_goes() -> None:
    assert merge([OTHERS, OLD], [["gpu", "NoSchedule"]], []) == [OTHERS]


def test_another_value_replaces_the_taint() -> None:
    assert merge([OLD], [["gpu", "NoSchedule"]], [NEW]) == [
        {"key": "gpu", "effect": "NoSchedule", "value": "b"}
    ]


def test_nothing_changes_when_it_is_there() -> None:
    there = [{"key": "gpu", "value": "b", "effect": "NoSchedule"}, OTHERS]
    assert merge(there, [["gpu", "NoSchedule"]], [NEW]) == there
