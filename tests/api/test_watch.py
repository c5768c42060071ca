"""Watches over HTTP: the state first, then every change, an end where there is one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.api.conftest import PROJECT

from vks.cli.http import events
from vks.service.api import watching

BASE = f"/v1/projects/{PROJECT}"
POOL = {"name": "p", "replicas": 1, "flavor": "small"}


@pytest.fixture
async def api(api_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=api_url, headers={"X-Auth-Token": "member"}, timeout=20
    ) as client:
        yield client


async def create(api: httpx.AsyncClient, name: str) -> None:
    request = {
        "name": name,
        "region": "tokyo",
        "version": "v1.36.3",
        "controlPlane": {"flavor": "small"},
    }
    answer = await api.post(f"{BASE}/clusters", json=request)
    assert answer.status_code == 202, answer.text


class Watched:
    """The events of a stream, one at a time."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, dict[str, Any]] | None:
        """Name and data of the next event; None at the end of the stream."""
        block: list[str] = []
        async for line in self._lines:
            if line:
                block.append(line)
                continue
            for name, data in events(iter([*block, ""])):
                if name:
                    return name, json.loads(data)
            block = []
        return None

    async def until(self, type_: str, /, **fields: Any) -> dict[str, Any]:
        while (event := await self.next()) is not None:
            if event[0] == type_ and fields.items() <= event[1].items():
                return event[1]
        raise AssertionError(f"the stream ended without {type_} {fields}")


@asynccontextmanager
async def watch(api: httpx.AsyncClient, path: str) -> AsyncIterator[Watched]:
    async with api.stream("GET", f"{BASE}{path}", params={"watch": "1"}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Watched(response)


async def test_a_list_tells_of_everything_that_comes_and_goes(api: httpx.AsyncClient) -> None:
    await create(api, "before")
    async with watch(api, "/clusters") as clusters:
        await clusters.until("ADDED", name="before")
        await create(api, "during")
        await clusters.until("ADDED", name="during")
        await api.delete(f"{BASE}/clusters/during")
        gone = await clusters.until("DELETED", name="during")
        assert gone["deletedAt"] is not None
    await api.delete(f"{BASE}/clusters/before")


async def test_watching_one_ends_when_it_is_gone(api: httpx.AsyncClient) -> None:
    await create(api, "one")
    await api.post(f"{BASE}/clusters/one/node-pools", json=POOL)
    async with (
        watch(api, "/clusters/one") as cluster,
        watch(api, "/clusters/one/node-pools") as pools,
        watch(api, "/clusters/one/node-pools/p") as pool,
    ):
        await cluster.until("ADDED", name="one")
        await pools.until("ADDED", name="p", replicas=1)
        patch = await api.patch(f"{BASE}/clusters/one/node-pools/p", json={"replicas": 2})
        assert patch.status_code == 202
        await pools.until("MODIFIED", replicas=2)
        await pool.until("MODIFIED", replicas=2)
        await api.delete(f"{BASE}/clusters/one")
        for stream in (pool, cluster):
            await stream.until("DELETED")
            assert await stream.next() is None


async def test_an_operation_is_followed_to_its_end(api: httpx.AsyncClient) -> None:
    await create(api, "followed")
    operation = (await api.delete(f"{BASE}/clusters/followed")).json()["id"]
    async with watch(api, f"/operations/{operation}") as stream:
        last = None
        while (event := await stream.next()) is not None:
            last = event[1]
    assert last is not None
    assert (last["phase"], last["progress"]) == ("Succeeded", 100)
    async with watch(api, f"/operations/{operation}") as again:
        assert await again.next() is not None
        assert await again.next() is None


async def test_silence_is_broken_by_a_comment(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "KEEP_ALIVE", 0.1)
    async with api.stream("GET", f"{BASE}/operations?watch=1&cluster=nobody") as response:
        assert await anext(response.aiter_lines()) == ": keep-alive"


async def test_what_is_not_there_is_not_watched(api: httpx.AsyncClient) -> None:
    for path in ("/clusters/nope", "/operations/op-nope", "/clusters/nope/node-pools"):
        answer = await api.get(f"{BASE}{path}", params={"watch": "1"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
