"""Fleets of migrations in the REST API: operators' business."""

from __future__ import annotations

from typing import Any

import pytest
from tests.apiserver.service.conftest import Vks
from tests.apiserver.service.test_legacy import made
from tests.support.service import cluster_request

from vks.resources.clustermigration import ClusterMigration
from vks.resources.migrationfleet import MigrationFleet

PATH = "/migration-fleets"
OPERATOR = {"x_auth_token": "operator"}
BEGAN, ENDED = "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z"


async def create(vks: Vks, **more: Any) -> dict[str, Any]:
    answer = await vks.call("POST", PATH, {"name": "all", **more}, **OPERATOR)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def told(vks: Vks, **status: Any) -> None:
    """As the controller would tell it."""
    patch = {"status": status}
    await vks.client.merge_patch(MigrationFleet, "all", vks.namespace, patch, subresource="status")


async def test_all_clusters_of_the_legacy_provisioner_unless_said_otherwise(vks: Vks) -> None:
    await made(vks)
    answer = await vks.call("POST", "/clusters", cluster_request("new"))
    assert answer.status_code == 202, answer.text
    fleet = await create(vks, concurrency=3, haltAfter=2, until="Adopted")
    assert [cluster["name"] for cluster in fleet["clusters"]] == ["old"]
    assert (fleet["concurrency"], fleet["haltAfter"], fleet["until"]) == (3, 2, "Adopted")
    assert (await vks.call("GET", f"{PATH}/all", **OPERATOR)).json() == fleet
    assert (await vks.call("GET", PATH, **OPERATOR)).json()["items"] == [fleet]


async def test_the_report_says_how_far_each_is_how_long_it_took_and_why_it_failed(vks: Vks) -> None:
    await made(vks)
    await create(vks, clusters=["old"])
    spec = {"clusterName": "old", "planRequest": "one", "target": "Converted"}
    meta = {"name": "old", "namespace": vks.namespace}
    await vks.client.create(ClusterMigration, {"metadata": meta, "spec": spec})
    phases = [{"name": "Prepare", "startedAt": BEGAN, "finishedAt": ENDED}]
    patch = {"status": {"phase": "Adopting", "phases": phases}}
    await vks.client.merge_patch(
        ClusterMigration, "old", vks.namespace, patch, subresource="status"
    )
    late = {"name": "old", "state": "UnderWay", "reason": "Overdue", "message": "Keys: no Secret"}
    await told(vks, phase="Halted", failed=1, underWay=1, clusters=[{**late, "startedAt": BEGAN}])
    (cluster,) = (await vks.call("GET", f"{PATH}/all", **OPERATOR)).json()["clusters"]
    assert (cluster["phase"], cluster["reason"]) == ("Adopting", "Overdue")
    assert cluster["message"] == "Keys: no Secret"
    assert [(p["name"], p["seconds"]) for p in cluster["phases"]] == [("Prepare", 90)]
    assert cluster["seconds"] is None


async def test_it_is_paused_resumed_and_forgotten_and_there_is_one_at_a_time(vks: Vks) -> None:
    await made(vks)
    await create(vks)
    second = await vks.call("POST", PATH, {"name": "more"}, **OPERATOR)
    assert (second.status_code, second.json()["code"]) == (409, "conflict")
    again = await vks.call("POST", PATH, {"name": "all"}, **OPERATOR)
    assert (again.status_code, again.json()["code"]) == (409, "already_exists")
    assert (await vks.call("POST", f"{PATH}/all/pause", **OPERATOR)).json()["paused"]
    body = {"haltAfter": 4}
    resumed = (await vks.call("POST", f"{PATH}/all/resume", body, **OPERATOR)).json()
    assert (resumed["paused"], resumed["haltAfter"]) == (False, 4)
    await told(vks, phase="Finished")
    assert (await vks.call("POST", PATH, {"name": "more"}, **OPERATOR)).status_code == 202
    assert (await vks.call("DELETE", f"{PATH}/all", **OPERATOR)).status_code == 204
    assert (await vks.call("GET", f"{PATH}/all", **OPERATOR)).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"clusters": ["old", "nowhere"]}, "clusters.1"),
        ({"clusters": ["old", "old"]}, "clusters.1"),
        ({"clusters": ["new"]}, "clusters.0"),
        ({"clusters": []}, "clusters"),
        ({"concurrency": 0}, "concurrency"),
        ({"haltAfter": 0}, "haltAfter"),
        ({"region": "mars"}, "region"),
        ({"until": "Moon"}, "until"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_field(
    vks: Vks, body: dict[str, Any], field: str
) -> None:
    await made(vks)
    answer = await vks.call("POST", "/clusters", cluster_request("new"))
    assert answer.status_code == 202, answer.text
    answer = await vks.call("POST", PATH, {"name": "all", **body}, **OPERATOR)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert (await vks.client.list(MigrationFleet, vks.namespace)).items == []


async def test_for_users_there_are_no_fleets(vks: Vks) -> None:
    await made(vks)
    await create(vks)
    calls = [("GET", PATH, None), ("POST", PATH, {"name": "x"}), ("GET", f"{PATH}/all", None),
             ("POST", f"{PATH}/all/pause", None), ("POST", f"{PATH}/all/resume", {}),
             ("DELETE", f"{PATH}/all", None)]  # fmt: skip
    for method, path, body in calls:
        answer = await vks.call(method, path, body)
        assert answer.status_code == 404, answer.text
    assert len((await vks.client.list(MigrationFleet, vks.namespace)).items) == 1
