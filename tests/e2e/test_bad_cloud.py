"""The cloud fails, limits rates, is slow and loses answers, while a cluster lives its life."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support import leftovers
from tests.support.clusters import small_cluster, zones_of
from tests.support.localregion import LocalRegion
from tests.support.witness import Witness

#: Each strikes that part of all calls to compute, network and load balancers, whoever calls.
_OFTEN = 0.06
FAULTS: tuple[dict[str, Any], ...] = (
    {"action": "error", "status": 500, "probability": _OFTEN},
    {"action": "error", "status": 429, "retry_after": 1, "probability": _OFTEN},
    {"action": "delay", "delay": 1.0, "probability": _OFTEN},
    {"action": "drop_before", "probability": _OFTEN},
    {"action": "drop_after", "probability": _OFTEN},
    {"action": "drop_after", "method": "POST", "probability": 0.3},
)


@pytest.fixture
def bad_cloud(region: LocalRegion) -> Iterator[LocalRegion]:
    for service in ("compute", "network", "lbaas"):
        for rule in FAULTS:
            region.fault(service=service, **rule)
    yield region
    region.no_faults()


def test_a_cluster_is_made_and_deleted_once_although_the_cloud_is_bad(
    bad_cloud: LocalRegion,
) -> None:
    region = bad_cloud
    with Witness(region) as witness:
        created = region.ask("POST", "clusters", small_cluster(region, "unlucky", workers=1))
        region.finished(created, within=300.0)
        assert zones_of(region, "unlucky") == {"control-plane": [0, 0, 1], "worker": [0, 0, 1]}
        deleted = region.ask("DELETE", "clusters/unlucky")
        region.finished(deleted, within=200.0)
    region.no_faults()
    leftovers.none_of_clusters(region)
    witness.testify(looks=5)
