"""How a node is emptied, call by call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vks.legacy.server.hub import CallFailed, Session
from vks.legacy.server.legacynode.drain import drain, remove_node
from vks.runtime.result import Waiting


class Cluster(Session):
    """Pods of one node by name, and what an eviction of each is answered with."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = list(pods)
        self.refused: dict[str, int] = {}
        self.missing = False
        self.calls: list[str] = []

    async def call(self, endpoint: str, method: str, path: str, body: str = "", **_: Any) -> str:
        self.calls.append(f"{method} {path}")
        assert endpoint == "api"
        if self.missing:
            raise CallFailed("not found", 404)
        if path.endswith("/eviction"):
            name = json.loads(body)["metadata"]["name"]
            if status := self.refused.get(name):
                raise CallFailed("refused", status)
        return json.dumps({"items": self.pods})

    @property
    def evicted(self) -> list[str]:
        return [call.split("/")[-2] for call in self.calls if call.endswith("/eviction")]


def pod(name: str, *, owner: str = "ReplicaSet", phase: str = "Running", **meta: Any) -> Any:
    fields = {"name": name, "namespace": "shop", "ownerReferences": [{"kind": owner}], **meta}
    return {"metadata": fields, "status": {"phase": phase}}


async def test_pods_are_evicted_and_waited_for() -> None:
    cluster = Cluster(
        pod("web"),
        pod("agent", owner="DaemonSet"),
        pod("done", phase="Succeeded"),
        pod("static", annotations={"kubernetes.io/config.mirror": "x"}),
    )
    with pytest.raises(Waiting, match="1 pods left: web"):
        await drain(cluster, "w-1")
    assert cluster.calls[0] == "PATCH /api/v1/nodes/w-1"
    assert cluster.evicted == ["web"]


async def test_an_empty_node_is_drained() -> None:
    await drain(Cluster(pod("agent", owner="DaemonSet")), "w-1")


async def test_a_budget_makes_it_wait_and_nothing_worse() -> None:
    cluster = Cluster(pod("a"), pod("b"))
    cluster.refused = {"a": 429, "b": 404}
    with pytest.raises(Waiting, match="2 pods left"):
        await drain(cluster, "w-1")
    cluster.refused = {"a": 500}
    with pytest.raises(CallFailed):
        await drain(cluster, "w-1")


async def test_pods_that_are_leaving_are_not_asked_again() -> None:
    cluster = Cluster(pod("a", deletionTimestamp="2026-01-01T00:00:00Z"))
    with pytest.raises(Waiting):
        await drain(cluster, "w-1")
    assert cluster.evicted == []


async def test_what_never_was_a_node_needs_no_draining() -> None:
    cluster = Cluster()
    cluster.missing = True
    await drain(cluster, "w-1")
    await remove_node(cluster, "w-1")
