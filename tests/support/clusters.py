"""Clusters as the stories ask for them through the REST API."""

from __future__ import annotations

from collections import Counter

from tests.support.clouds import Json
from tests.support.localregion import LocalRegion


def small_cluster(region: LocalRegion, name: str, *, workers: int) -> Json:
    """The request for one control plane and some workers in pool `default`."""
    options = region.look(f"/regions/{region.name}/options")
    return {
        "name": name,
        "region": region.name,
        "version": options["versions"][0]["version"],
        "controlPlane": {"replicas": 1, "flavor": "medium"},
        "nodePools": [{"name": "default", "replicas": workers, "flavor": "small"}],
    }


def zones_of(region: LocalRegion, cluster: str) -> dict[str, list[int]]:
    """How many ready nodes of each role the zones have, in ascending order."""
    nodes = region.read("pool", "nodes", cluster)["items"]
    assert [node["ready"] for node in nodes] == [True] * len(nodes), nodes
    found = {}
    for role in ("control-plane", "worker"):
        counted = Counter(node["zone"] for node in nodes if node["role"] == role)
        found[role] = sorted(counted[zone] for zone in region.zones)
    return found
