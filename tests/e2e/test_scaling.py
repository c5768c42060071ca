"""A pool grows and shrinks."""

from __future__ import annotations

from collections import Counter

from tests.support.leftovers import census
from tests.support.localregion import LocalRegion, until
from tests.support.workload import Workload


def test_a_pool_grows_and_shrinks_evenly_over_its_zones(
    region: LocalRegion, demo: Workload
) -> None:
    before = census(region)
    for count, spread in ((5, [1, 2, 2]), (2, [0, 1, 1]), (3, [1, 1, 1])):
        region.vks("pool", "scale", "demo", "default", "--count", str(count))
        nodes = region.read("pool", "nodes", "demo", "default")["items"]
        zones = Counter(node["zone"] for node in nodes)
        assert sorted(zones[zone] for zone in region.zones) == spread
        assert {node["name"] for node in nodes} == {
            node["metadata"]["name"]
            for node in demo.objects("nodes", "--selector=vks.verda/pool=default")
        }
    # As many of everything as at first: no orphan of the machines that went.
    until(lambda: census(region), lambda now: now == before, within=30.0)
