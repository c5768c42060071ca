"""Processes of ours and of Cluster API are killed all the time, while a cluster lives its life."""

from __future__ import annotations

import os

from tests.support import leftovers
from tests.support.clusters import small_cluster, zones_of
from tests.support.killer import Killer
from tests.support.localregion import LocalRegion
from tests.support.witness import Witness

SEED = int(os.environ.get("VKS_TEST_SEED", "20261"))
#: Kills while the cluster is made, while its pool and its control plane grow, while it is deleted.
CREATE, SCALE, DELETE = 14, 14, 8


def test_whoever_is_killed_whenever_the_cluster_becomes_what_was_asked_for_once(
    region: LocalRegion,
) -> None:
    killer = Killer(region, SEED)
    with Witness(region) as witness:
        body = small_cluster(region, "tough", workers=2)
        with killer.killing(CREATE):
            created = region.ask("POST", "clusters", body)
        region.finished(created, within=300.0)
        assert zones_of(region, "tough") == {"control-plane": [0, 0, 1], "worker": [0, 1, 1]}

        with killer.killing(SCALE):
            pool = region.ask("PATCH", "clusters/tough/node-pools/default", {"replicas": 3})
            planes = region.ask("PATCH", "clusters/tough", {"controlPlane": {"replicas": 3}})
        region.finished(pool, within=300.0)
        region.finished(planes, within=300.0)
        assert zones_of(region, "tough") == {"control-plane": [1, 1, 1], "worker": [1, 1, 1]}

        with killer.killing(DELETE):
            deleted = region.ask("DELETE", "clusters/tough")
        region.finished(deleted, within=300.0)
        leftovers.none_of_clusters(region)
    print(f"\nkilled with seed {SEED}: {dict(sorted(killer.kills.items()))}")
    assert killer.kills.total() >= 30
    assert {"etcd", "kube-apiserver", "capi-core", "cloud", "provider", "supervisor"} <= {
        *killer.kills
    }
    witness.testify(looks=100)
