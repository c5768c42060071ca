"""The way from a node to the API: its loopback, balanced over all control planes.

A list of backends in a file, looked at every second. A backend that does not accept connections
gets none; connections to one that is gone are cut, so that clients do not wait for its silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

_CHECK = 1.0
_CONNECT = 1.0
_FALL = 2  # failed checks until a backend is down
_CHUNK = 64 * 1024


class Backend:
    """One control plane: HOST, PORT, and the connections that lead to it."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.failures = 0
        self.sessions: set[asyncio.WriteTransport] = set()

    @property
    def up(self) -> bool:
        return self.failures < _FALL

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises OSError and TimeoutError."""
        async with asyncio.timeout(_CONNECT):
            return await asyncio.open_connection(self.host, self.port)

    async def check(self) -> None:
        try:
            _, writer = await self.connect()
            writer.close()
            self.failures = 0
        except (OSError, TimeoutError):
            self.failures += 1
            if not self.up:
                self.cut()

    def cut(self) -> None:
        for transport in list(self.sessions):
            transport.abort()


class Proxy:
    """`config` holds {"listen": PORT, "backends": ["HOST:PORT", …]}."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._text = ""
        self._backends: dict[str, Backend] = {}
        self._turn = 0
        self._listen = 0

    async def run(self) -> None:
        """Serves until cancelled."""
        self._read()
        async with await asyncio.start_server(self._serve, "127.0.0.1", self._listen):
            while True:
                await asyncio.gather(*(backend.check() for backend in self._backends.values()))
                await asyncio.sleep(_CHECK)
                self._read()

    def _read(self) -> None:
        text = self._config.read_text()
        if text == self._text:
            return
        document = json.loads(text)
        before, self._text, self._listen = self._backends, text, document["listen"]
        self._backends = {}
        for name in document["backends"]:
            host, _, port = name.rpartition(":")
            known = before.pop(name) if name in before else None
            self._backends[name] = known or Backend(host, int(port))
        for gone in before.values():
            gone.cut()

    def _candidates(self) -> Iterator[Backend]:
        """Every backend once, in turn; those that are down only after the others."""
        known = list(self._backends.values())
        self._turn += 1
        turned = [known[(self._turn + index) % len(known)] for index in range(len(known))]
        yield from sorted(turned, key=lambda backend: not backend.up)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for backend in self._candidates():
            try:
                far_reader, far_writer = await backend.connect()
            except (OSError, TimeoutError):
                backend.failures += 1
                continue
            ends = {writer.transport, far_writer.transport}
            backend.sessions |= ends
            try:
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            finally:
                backend.sessions -= ends
                writer.close()
                far_writer.close()
            return
        writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything from one side to the other, its end included; a broken side breaks both."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
    except OSError:
        writer.transport.abort()
