"""A watch that goes on where it was, as a reflector does."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from tests.support.counts import RefusedError


class Seen:
    """What a watch of the ConfigMap saw: the counts written into it."""

    def __init__(self) -> None:
        self.counts: set[int] = set()
        self.interruptions = self.lists = 0
        self._version = ""

    async def follow(self, session: aiohttp.ClientSession, server: str) -> None:
        """Until it ends or fails."""
        path = f"{server}/api/v1/namespaces/default/configmaps"
        params = {"fieldSelector": "metadata.name=probe"}
        if not self._version:
            async with session.get(path, params=params) as answer:
                self._version = (await answer.json())["metadata"]["resourceVersion"]
                self.lists += 1
        params |= {"watch": "1", "resourceVersion": self._version, "timeoutSeconds": "3600"}
        forever = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=30.0)
        async with session.get(path, params=params, timeout=forever) as answer:
            if answer.status != 200:
                raise RefusedError(answer.status, "watch")
            async for line in answer.content:
                self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "ERROR":
            self._version = ""
            raise RefusedError(int(event["object"].get("code", 0)), str(event)[:200])
        item = event["object"]
        self._version = item["metadata"]["resourceVersion"]
        self.counts.add(int(item["data"]["count"]))
