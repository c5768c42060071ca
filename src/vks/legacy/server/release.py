"""Letting go of a cluster, and saying so.

The reconciles of one object follow each other: when a node's has run that knew of the release, no
earlier one is under way that could still write. So a cluster is released when all its nodes are.
"""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.conditions import ConditionSet
from vks.legacy.server.nodes import is_true
from vks.resources.legacycluster import RELEASED
from vks.resources.legacynode import LegacyNode


def let_go(nodes: Iterable[LegacyNode], conditions: ConditionSet) -> None:
    """Say of a cluster how far its release is."""
    held = [node.metadata.name for node in nodes if not is_true(node, RELEASED)]
    if held:
        conditions.set(RELEASED, False, "WaitingForNodes", f"not yet: {', '.join(sorted(held))}")
    else:
        conditions.set(RELEASED, True, RELEASED)


def in_charge(conditions: ConditionSet) -> None:
    """Say that there is no release (any more); nothing is said where there never was one."""
    if conditions.get(RELEASED) is not None:
        conditions.set(RELEASED, False, "InCharge")
