"""Calls to `vks-hollow` over its Unix socket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from vks.local.servers.types import ServerError, ServerNotFoundError

SOCKET = "hollow.sock"
#: Nothing is named by the host; a URL has to have one.
_BASE = "http://hollow"
#: A server's start is answered when its init runs, which is a matter of the chosen delays.
_SECONDS = 120.0


class HollowClient:
    """Raises ServerError for what was refused, aiohttp.ClientError when nobody answers: that is
    for the caller to try again."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._directory: int | None = None
        self._session: aiohttp.ClientSession | None = None

    async def call(self, method: str, *path: str, body: Any = None, text: bool = False) -> Any:
        """The decoded JSON answer (the text if `text`), None when it is empty."""
        url = "/".join((_BASE, *(quote(part, safe="") for part in path)))
        async with self._opened().request(method, url, json=body) as answer:
            content = await answer.text()
            if answer.status == 404:
                raise ServerNotFoundError(f"{'/'.join(path)} does not exist")
            if answer.status >= 400:
                raise ServerError(f"{method} {'/'.join(path)}: {content.strip()}")
            if text:
                return content
            return await answer.json(content_type=None) if content else None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # By way of a descriptor: socket paths are limited to 107 bytes.
            self._directory = os.open(self._run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            path = f"/proc/self/fd/{self._directory}/{SOCKET}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=path, limit=0),
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
            )
        return self._session
