"""Leases in memory with compare-and-swap, for elections in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from vks.kube.client import ListResult
from vks.kube.errors import AlreadyExists, Conflict, NotFound, Unavailable
from vks.runtime.lease import Lease


class FakeLeases:
    """The part of a client that elections use. `down` makes every request fail for those
    whose name is in it; see `as_seen_by`."""

    def __init__(self) -> None:
        self.leases: dict[str, dict[str, Any]] = {}
        self.revision = 0
        self.down: set[str] = set()

    def as_seen_by(self, who: str) -> Any:
        """A client of that name."""
        return _View(self, who)


class _View:
    def __init__(self, server: FakeLeases, who: str) -> None:
        self._server = server
        self._who = who

    async def _trip(self) -> None:
        await asyncio.sleep(0.01)
        if self._who in self._server.down:
            raise Unavailable("no route", reason="NoAnswer")

    def _typed(self, name: str) -> Lease:
        return msgspec.convert(self._server.leases[name], Lease)

    async def get(self, model: Any, name: str, namespace: str = "") -> Lease:
        await self._trip()
        if name not in self._server.leases:
            raise NotFound("no lease", status=404)
        return self._typed(name)

    async def list(
        self, model: Any, namespace: str = "", *, label_selector: str = ""
    ) -> ListResult[Lease]:
        await self._trip()
        leases = [self._typed(name) for name in self._server.leases]
        return ListResult(leases, str(self._server.revision), [])

    async def create(self, model: Any, body: Mapping[str, Any]) -> Lease:
        await self._trip()
        name = body["metadata"]["name"]
        if name in self._server.leases:
            raise AlreadyExists("lease", status=409)
        return await self._store(name, body["metadata"], body["spec"])

    async def merge_patch(
        self, model: Any, name: str, namespace: str, patch: Mapping[str, Any]
    ) -> Lease:
        await self._trip()
        old = self._server.leases[name]
        if old["metadata"]["resourceVersion"] != patch["metadata"]["resourceVersion"]:
            raise Conflict("changed", status=409)
        return await self._store(name, old["metadata"], {**old["spec"], **patch["spec"]})

    async def _store(
        self, name: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]
    ) -> Lease:
        self._server.revision += 1
        version = {"resourceVersion": str(self._server.revision)}
        self._server.leases[name] = {"metadata": {**metadata, **version}, "spec": dict(spec)}
        stored = self._typed(name)
        await self._trip()  # the way back: who is cancelled here has written nevertheless
        return stored
