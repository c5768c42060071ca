"""Migrations in the REST API: operators plan them, for everybody else they do not exist."""

from __future__ import annotations

from typing import Any

from tests.apiserver.service.conftest import Vks
from tests.apiserver.service.test_legacy import made
from tests.support.service import cluster_request

from vks.resources.clustermigration import ClusterMigration
from vks.resources.legacycluster import LegacyCluster
from vks.resources.operation import Operation

PATH = "/clusters/old/migration"


async def test_an_operator_asks_for_plans_and_reads_the_last(vks: Vks) -> None:
    await made(vks)
    asked = await vks.call("POST", f"{PATH}/plan", x_auth_token="operator")
    assert asked.status_code == 202, asked.text
    assert asked.json()["plan"] is None
    first = asked.json()["requested"]
    finding = {"check": "QuotaSuffices", "message": "none is free", "fix": "raise the quota"}
    plan = {
        "request": first,
        "made": "2026-01-01T00:00:00Z",
        "summary": "1 refusal",
        "refusals": [finding],
    }
    patch = {"status": {"phase": "Refused", "plan": plan}}
    await vks.client.merge_patch(
        ClusterMigration, "old", vks.namespace, patch, subresource="status"
    )
    read = (await vks.call("GET", PATH, x_auth_token="operator")).json()
    assert (read["phase"], read["plan"]["id"]) == ("Refused", first)
    assert read["plan"]["refusals"] == [finding]
    again = (await vks.call("POST", f"{PATH}/plan", x_auth_token="operator")).json()
    assert again["requested"] != first
    assert again["plan"]["id"] == first


async def test_verbs_are_refused_until_they_make_sense_and_then_recorded(vks: Vks) -> None:
    await made(vks)
    operator = {"x_auth_token": "operator"}
    assert (await vks.call("POST", f"{PATH}/start", {}, **operator)).status_code == 404
    first = (await vks.call("POST", f"{PATH}/plan", **operator)).json()["requested"]
    assert (await vks.call("POST", f"{PATH}/start", {}, **operator)).status_code == 409
    await told(vks, plan=await plan(vks, first), phase="Planned")
    until = {"until": "Prepared"}
    early = await vks.call("POST", f"{PATH}/start", until, **operator)
    assert (early.status_code, "CreateCluster" in early.json()["detail"]) == (409, True)
    await creation_ended(vks)
    await vks.client.merge_patch(
        LegacyCluster, "old", vks.namespace, {"spec": {"endpoint": {"host": "10.0.0.1", "port": 1}}}
    )
    outdated = await vks.call("POST", f"{PATH}/start", until, **operator)
    assert (outdated.status_code, "plan again" in outdated.json()["detail"]) == (409, True)
    await told(vks, plan=await plan(vks, first), phase="Planned")
    started = (await vks.call("POST", f"{PATH}/start", until, **operator)).json()
    assert (started["target"], started["paused"]) == ("Prepared", False)
    wrong = await vks.call("POST", f"{PATH}/start", {"until": "Moon"}, **operator)
    assert wrong.status_code == 422, wrong.text
    record = {"name": "Prepare", "startedAt": "2026-01-01T00:00:00Z", "step": "LoadBalancer"}
    await told(vks, phase="Preparing", phases=[record])
    for verb in ("plan", "finalize"):
        answer = await vks.call("POST", f"{PATH}/{verb}", **operator)
        assert answer.status_code == 409, answer.text
    assert (await vks.call("POST", f"{PATH}/pause", **operator)).json()["paused"]
    assert not (await vks.call("POST", f"{PATH}/resume", **operator)).json()["paused"]
    await told(vks, phases=[record, {**record, "name": "Finalize"}])
    assert (await vks.call("POST", f"{PATH}/rollback", **operator)).status_code == 409
    await told(vks, phases=[record])
    prepared = {"until": "Prepared"}
    idle = await vks.call("POST", f"{PATH}/rollback", prepared, **operator)
    assert (idle.status_code, "since" in idle.json()["detail"]) == (409, True)
    await told(vks, phases=[record, {**record, "name": "Adopt"}], phase="Adopting")
    part = await vks.call("POST", f"{PATH}/rollback", prepared, **operator)
    assert (part.status_code, part.json()["rollback"]) == (202, True)
    assert (await vks.call("POST", f"{PATH}/start", {}, **operator)).status_code == 409
    await told(vks, phases=[record], phase="Prepared")
    again = (await vks.call("POST", f"{PATH}/start", {}, **operator)).json()
    assert (again["rollback"], again["target"]) == (False, "Converted")
    back = (await vks.call("POST", f"{PATH}/rollback", **operator)).json()
    assert (back["rollback"], back["phases"][0]["step"]) == (True, "LoadBalancer")
    assert (await vks.call("POST", f"{PATH}/start", {}, **operator)).status_code == 409


async def plan(vks: Vks, request: str) -> dict[str, Any]:
    """One without refusals, of the cluster as it is."""
    cluster = await vks.client.get(LegacyCluster, "old", vks.namespace)
    generation = cluster.metadata.generation
    return {"request": request, "made": "2026-01-01T00:00:00Z", "generation": generation}


async def creation_ended(vks: Vks) -> None:
    """The cluster's first operation; nobody makes its nodes here."""
    for operation in (await vks.client.list(Operation, vks.namespace)).items:
        status = {"phase": "Succeeded", "finished": "2026-01-01T00:00:00Z"}
        await vks.client.merge_patch(
            Operation,
            operation.metadata.name,
            vks.namespace,
            {"status": status},
            subresource="status",
        )


async def told(vks: Vks, **status: Any) -> None:
    """As the controller would tell it."""
    patch = {"status": status}
    await vks.client.merge_patch(
        ClusterMigration, "old", vks.namespace, patch, subresource="status"
    )


async def test_for_users_there_is_no_migration(vks: Vks) -> None:
    await made(vks)
    verbs = ("plan", "start", "pause", "resume", "rollback", "finalize")
    for method, path in (*(("POST", f"{PATH}/{verb}") for verb in verbs), ("GET", PATH)):
        body: dict[str, Any] | None = {} if path.endswith("start") else None
        answer = await vks.call(method, path, body)
        assert answer.status_code == 404, answer.text
    assert (await vks.client.list(ClusterMigration, vks.namespace)).items == []


async def test_a_cluster_of_cluster_api_is_not_planned(vks: Vks) -> None:
    vks.identity.add("operator", vks.project, "member", "vks-operator")
    answer = await vks.call("POST", "/clusters", cluster_request("new"))
    assert answer.status_code == 202, answer.text
    answer = await vks.call("POST", "/clusters/new/migration/plan", x_auth_token="operator")
    assert answer.status_code == 409, answer.text
