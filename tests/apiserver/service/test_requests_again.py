"""The same request again, and requests that rest on an old read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.apiserver.service.conftest import Vks
from tests.support.service import cluster_request, until

from vks.resources.managedcluster import ManagedCluster
from vks.resources.operation import Operation

POOL = {"name": "p", "replicas": 1, "flavor": "small"}


async def created(vks: Vks, **more: Any) -> dict[str, Any]:
    answer = await vks.call("POST", "/clusters", cluster_request(**more))
    assert answer.status_code == 202, answer.text
    operation: dict[str, Any] = answer.json()
    return operation


async def test_the_same_request_with_the_same_key_is_one_change(vks: Vks) -> None:
    request = cluster_request()
    first = await vks.call("POST", "/clusters", request, idempotency_key="k1")
    again = await vks.call("POST", "/clusters", request, idempotency_key="k1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    other = await vks.call("POST", "/clusters", cluster_request("other"), idempotency_key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_lost_operation_is_recorded_when_the_request_comes_again(vks: Vks) -> None:
    """The process was killed between making the cluster and recording the operation."""
    request = cluster_request()
    first = await vks.call("POST", "/clusters", request, idempotency_key="k2")
    await vks.client.delete(Operation, first.json()["id"], vks.namespace)
    again = await vks.call("POST", "/clusters", request, idempotency_key="k2")
    assert again.status_code == 202, again.text
    assert again.json()["id"] == first.json()["id"]


async def test_the_same_request_at_the_same_time_is_one_change(vks: Vks) -> None:
    request = cluster_request()
    answers = await asyncio.gather(
        *(vks.call("POST", "/clusters", request, idempotency_key="together") for _ in range(6))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await vks.client.list(ManagedCluster, vks.namespace)).items) == 1
    assert len((await vks.client.list(Operation, vks.namespace)).items) == 1


async def test_a_key_is_its_users_own(vks: Vks) -> None:
    vks.identity.add("colleague", vks.project, "member")
    await created(vks, nodePools=[])
    first = await vks.call("POST", "/clusters/demo/node-pools", POOL, idempotency_key="k")
    other = await vks.call(
        "POST",
        "/clusters/demo/node-pools",
        POOL | {"name": "q"},
        idempotency_key="k",
        x_auth_token="colleague",
    )
    assert (first.status_code, other.status_code) == (202, 202)
    assert first.json()["id"] != other.json()["id"]


async def test_a_change_sent_again_does_not_undo_what_came_between(vks: Vks) -> None:
    await created(vks, nodePools=[])
    await vks.call("POST", "/clusters/demo/node-pools", POOL)
    path = "/clusters/demo/node-pools/p"
    first = await vks.call("PATCH", path, {"replicas": 2}, idempotency_key="two")
    assert (await vks.call("PATCH", path, {"replicas": 3})).status_code == 202
    again = await vks.call("PATCH", path, {"replicas": 2}, idempotency_key="two")
    assert again.json()["id"] == first.json()["id"]
    assert (await vks.call("GET", path)).json()["replicas"] == 3


@pytest.mark.parametrize("path", ["/clusters/demo", "/clusters/demo/node-pools/p"])
async def test_a_deletion_sent_again_after_the_end_is_the_same_deletion(
    vks: Vks, path: str
) -> None:
    await created(vks, nodePools=[])
    await vks.call("POST", "/clusters/demo/node-pools", POOL)
    first = await vks.call("DELETE", path, idempotency_key="bye")
    assert first.status_code == 202, first.text

    async def gone() -> bool:
        return bool((await vks.call("GET", path)).status_code == 404)

    await until(gone)
    again = await vks.call("DELETE", path, idempotency_key="bye")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert (await vks.call("DELETE", path)).status_code == 404


async def test_a_stale_read_does_not_change_anything(vks: Vks) -> None:
    await created(vks)
    answer = await vks.call("DELETE", "/clusters/demo", if_match='"1"')
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/clusters/demo", {"controlPlane": {"replicas": 5}}),
        ("/clusters/demo/node-pools/p", {"replicas": 2}),
    ],
)
async def test_a_change_rests_on_what_was_read(vks: Vks, path: str, body: dict[str, Any]) -> None:
    await created(vks, nodePools=[])
    await vks.call("POST", "/clusters/demo/node-pools", POOL)

    async def changed() -> str | None:
        """The ETag that the change rests on. Controllers still write about what is new: a client
        that is told so reads again."""
        etag = (await vks.call("GET", path)).headers["etag"]
        answer = await vks.call("PATCH", path, body, if_match=etag)
        assert answer.status_code in (202, 412)
        return etag if answer.status_code == 202 else None

    etag = await until(changed)
    again = await vks.call("PATCH", path, body, if_match=etag)
    assert (again.status_code, again.json()["code"]) == (412, "precondition_failed")
    gone = await vks.call("DELETE", path, if_match=etag)
    assert gone.status_code == 412
    assert (await vks.call("PATCH", path, body, if_match="*")).status_code == 202
