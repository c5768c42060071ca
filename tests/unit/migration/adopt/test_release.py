"""When the legacy provisioner may let go."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from tests.unit.migration.builders import legacy_cluster, legacy_node

from vks.kube.objects import Condition
from vks.migration.adopt.release import unfinished
from vks.resources.legacycluster import LegacyCluster, LegacyPoolSpec, LegacyZoneSpec
from vks.resources.legacynode import LegacyNode

T = TypeVar("T", LegacyCluster, LegacyNode)
POOL = LegacyPoolSpec(
    name="edge",
    flavor="small",
    image="img-1",
    zones=(LegacyZoneSpec(name="tokyo-1", replicas=1), LegacyZoneSpec(name="tokyo-2", replicas=0)),
)


def ready(obj: T, status: str = "True", message: str = "") -> T:
    found = Condition(type="Ready", status=status, message=message)
    return msgspec.structs.replace(
        obj, status=msgspec.structs.replace(obj.status, conditions=(found,))
    )


CLUSTER = ready(legacy_cluster(node_pools=(POOL,)))
NODES = [ready(legacy_node(f"cp-{n}")) for n in "abc"] + [ready(legacy_node("w", pool="edge"))]


def test_of_a_cluster_that_is_whole_nothing_is_left_to_do() -> None:
    assert unfinished(CLUSTER, NODES) == ""


def test_a_node_that_is_yet_to_come_is_waited_for() -> None:
    assert unfinished(CLUSTER, NODES[:-1]) == "4 nodes are wanted, there are 3"
    coming = ready(legacy_node("w", pool="edge"), "False", "no server yet")
    assert unfinished(CLUSTER, [*NODES[:-1], coming]) == "w is not ready: no server yet"
    assert unfinished(CLUSTER, [*NODES[:-1], legacy_node("w", pool="edge")]) == "w is not ready: "


def test_a_cluster_that_is_not_well_is_waited_for() -> None:
    assert unfinished(ready(CLUSTER, "False", "agents"), NODES) == "old is not ready: agents"
