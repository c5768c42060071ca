"""What users may do to a cluster while its operators migrate it: read, and move pods."""

from __future__ import annotations

from typing import Any

import pytest
from tests.apiserver.service.conftest import Vks
from tests.apiserver.service.test_legacy import made
from tests.apiserver.service.test_migration import told

from vks.resources.clusterapi import Machine
from vks.resources.clustermigration import ClusterMigration
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation

POOL = "/clusters/old/node-pools/default"
NODE = "/clusters/old/nodes/old-w-1"
CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", "/clusters/old", {"controlPlane": {"replicas": 5}}),
    ("POST", "/clusters/old/upgrades", {"version": "v1.36.3"}),
    ("POST", "/clusters/old/node-pools", {"name": "more", "replicas": 1, "flavor": "small"}),
    ("PATCH", POOL, {"replicas": 5}),
    ("PATCH", POOL, {"labels": {"tier": "web"}}),
    ("DELETE", POOL, None),
    ("POST", f"{NODE}/recreate", None),
    ("DELETE", NODE, None),
]
BEGAN = "2026-01-01T00:00:00Z"
ADOPTING = {
    "phase": "Adopting",
    "phases": [
        {"name": "Prepare", "startedAt": BEGAN, "finishedAt": BEGAN},
        {"name": "Adopt", "startedAt": BEGAN, "step": "Keys"},
    ],
}
PREPARING = {"phase": "Preparing", "phases": [{"name": "Prepare", "startedAt": BEGAN}]}


async def migrating(vks: Vks, **status: Any) -> None:
    await made(vks)
    answer = await vks.call("POST", "/clusters/old/migration/plan", x_auth_token="operator")
    assert answer.status_code == 202, answer.text
    await told(vks, **status)
    await has_node(vks)


async def has_node(vks: Vks) -> None:
    labels = {"cluster.x-k8s.io/cluster-name": "old", "vks.verda/pool": "default"}
    reference = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "VerdaMachine"}
    body = {
        "metadata": {"name": "old-w-1", "namespace": vks.namespace, "labels": labels},
        "spec": {
            "clusterName": "old",
            "bootstrap": {"dataSecretName": "none"},
            "infrastructureRef": {**reference, "name": "old-w-1"},
        },
    }
    await vks.client.create(Machine, body)


async def written(vks: Vks) -> dict[str, int]:
    """Generations of whatever a request could change, and what was recorded."""
    kinds: tuple[Any, ...] = (ManagedCluster, NodePool, Machine, Operation)
    return {
        f"{kind.__name__}/{item.metadata.name}": item.metadata.generation
        for kind in kinds
        for item in (await vks.client.list(kind, vks.namespace)).items
    }


@pytest.mark.parametrize("status", [PREPARING, ADOPTING, {**ADOPTING, "phase": "RollingBack"}])
async def test_whatever_touches_machines_is_refused_and_leaves_nothing_behind(
    vks: Vks, status: dict[str, Any]
) -> None:
    await migrating(vks, **status)
    before = await written(vks)
    for method, path, body in CHANGES:
        answer = await vks.call(method, path, body)
        assert answer.status_code == 409, (method, path, answer.text)
        problem = answer.json()
        assert problem["code"] == "under_maintenance"
        assert f"({status['phase']})" in problem["detail"]
        assert "migrat" not in problem["detail"], "users know of none"
    assert await written(vks) == before


async def test_operators_are_told_what_they_can_do(vks: Vks) -> None:
    await migrating(vks, **ADOPTING)
    answer = await vks.call("PATCH", POOL, {"replicas": 5}, x_auth_token="operator")
    assert answer.json()["detail"].endswith("finalize that or roll it back first")


async def test_reads_plans_and_what_moves_pods_alone_go_on(vks: Vks) -> None:
    await migrating(vks, **ADOPTING)
    for path in ("/clusters/old", "/clusters", POOL, "/clusters/old/nodes", "/operations"):
        assert (await vks.call("GET", path)).status_code == 200
    planned = await vks.call("PATCH", f"{POOL}?dryRun=true", {"replicas": 5})
    assert planned.status_code == 200, planned.text
    for action in ("cordon", "drain", "uncordon"):
        answer = await vks.call("POST", f"{NODE}/{action}")
        assert answer.status_code == 202, answer.text
    answer = await vks.call("PATCH", "/clusters/old", {"deletionProtection": True})
    assert answer.status_code == 202, answer.text


async def test_a_cluster_is_deleted_while_one_provisioner_has_all_of_it(vks: Vks) -> None:
    await migrating(vks, **ADOPTING)
    answer = await vks.call("DELETE", "/clusters/old")
    assert (answer.status_code, answer.json()["code"]) == (409, "under_maintenance")
    assert not (await vks.client.get(ManagedCluster, "old", vks.namespace)).deleting
    await told(vks, **PREPARING)
    assert (await vks.call("DELETE", "/clusters/old")).status_code == 202


@pytest.mark.parametrize("status", [{"phase": "RolledBack"}, {**ADOPTING, "phase": "Finalized"}])
async def test_what_has_ended_is_in_nobodys_way(vks: Vks, status: dict[str, Any]) -> None:
    await migrating(vks, **status)
    answer = await vks.call("PATCH", POOL, {"replicas": 5})
    assert answer.status_code == 202, answer.text


async def test_a_started_migration_counts_before_its_controller_has_seen_it(vks: Vks) -> None:
    await migrating(vks)
    patch = {"spec": {"target": "Prepared"}}
    await vks.client.merge_patch(ClusterMigration, "old", vks.namespace, patch)
    answer = await vks.call("PATCH", POOL, {"replicas": 5})
    assert answer.status_code == 409, answer.text


async def test_a_refused_one_lets_the_cluster_be_repaired(vks: Vks) -> None:
    await migrating(vks)
    patch = {"spec": {"planRequest": "one", "target": "Converted"}}  # as a fleet asks for it
    await vks.client.merge_patch(ClusterMigration, "old", vks.namespace, patch)
    refusal = {"check": "NodesReady", "message": "not ready: old-w-1"}
    await told(vks, phase="Refused", plan={"request": "one", "made": BEGAN, "refusals": [refusal]})
    answer = await vks.call("PATCH", POOL, {"replicas": 5})
    assert answer.status_code == 202, answer.text


async def test_that_of_an_earlier_cluster_of_the_name_does_not_count(vks: Vks) -> None:
    await migrating(vks, **ADOPTING)
    owner = {"apiVersion": "vks.verda/v1alpha1", "kind": "ManagedCluster", "name": "old"}
    patch = {"metadata": {"ownerReferences": [{**owner, "uid": "of-another"}]}}
    await vks.client.merge_patch(ClusterMigration, "old", vks.namespace, patch)
    assert (await vks.call("PATCH", POOL, {"replicas": 5})).status_code == 202
