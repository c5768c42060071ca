"""The cluster that the stories before shared is deleted."""

from __future__ import annotations

from tests.support import leftovers
from tests.support.localregion import LocalRegion
from tests.support.workload import Workload


def test_nothing_is_left_of_a_deleted_cluster(region: LocalRegion, demo: Workload) -> None:
    assert leftovers.of_clusters(region) != []
    region.vks("cluster", "delete", demo.name, "--yes")
    assert region.read("cluster", "list")["items"] == []
    leftovers.none_of_clusters(region)
