"""A node's way to the API: balanced, patient with what is down, quick to let go of what is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.eventually import eventually

from vks.legacy.agent.proxy import Proxy


class Backend:
    """An API server that answers every line with its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.address = ""
        self.writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """No longer accepts; what is open stays open."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with contextlib.suppress(OSError):
            while await reader.readline():
                writer.write(f"{self.name}\n".encode())
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def running(config: Path, *backends: Backend) -> AsyncIterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    write(config, port, *backends)
    task = asyncio.create_task(Proxy(config).run())
    await eventually(lambda: accepts(port))
    try:
        yield port
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def write(config: Path, port: int, *backends: Backend) -> None:
    config.write_text(json.dumps({"listen": port, "backends": [b.address for b in backends]}))


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def ask(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"who\n")
    answer = (await reader.readline()).decode().strip()
    writer.close()
    return answer


@pytest.fixture
async def two() -> AsyncIterator[tuple[Backend, Backend]]:
    pair = (Backend("a"), Backend("b"))
    for backend in pair:
        await backend.start()
    yield pair
    for backend in pair:
        await backend.stop()


async def test_connections_are_spread(tmp_path: Path, two: tuple[Backend, Backend]) -> None:
    async with running(tmp_path / "c", *two) as port:
        assert {await ask(port) for _ in range(4)} == {"a", "b"}


async def test_no_connection_fails_while_one_backend_answers(
    tmp_path: Path, two: tuple[Backend, Backend]
) -> None:
    async with running(tmp_path / "c", *two) as port:
        await two[0].stop()
        assert {await ask(port) for _ in range(6)} == {"b"}


async def test_a_backend_that_is_down_loses_its_connections(
    tmp_path: Path, two: tuple[Backend, Backend]
) -> None:
    """Half-open connections would keep their clients waiting for as long as TCP is patient."""
    async with running(tmp_path / "c", two[0]) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"who\n")
        assert await reader.readline() == b"a\n"
        await two[0].stop()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                assert await reader.read() == b""
        writer.close()


async def test_a_new_list_is_used_without_a_restart_and_cuts_what_it_lacks(
    tmp_path: Path, two: tuple[Backend, Backend]
) -> None:
    async with running(tmp_path / "c", two[0]) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"who\n")
        assert await reader.readline() == b"a\n"
        write(tmp_path / "c", port, two[1])
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                assert await reader.read() == b""
        writer.close()
        assert await ask(port) == "b"


async def test_the_end_of_a_side_is_passed_on_after_its_last_byte(tmp_path: Path) -> None:
    whole = b"x" * 3_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"request"
        writer.write(whole)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    backend = Backend("once")
    backend.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with running(tmp_path / "c", backend) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"request")
        writer.write_eof()
        assert await reader.read() == whole
        writer.close()
    server.close()
