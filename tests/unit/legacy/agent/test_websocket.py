"""The client's side of a websocket: how it notices that there is nobody on the other side."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.apiserver import free_port
from tests.support.pki import Pki

from vks.legacy.agent.websocket import Limits, WebSocket, WebSocketError


async def served(tmp_path: Path, *, autoping: bool) -> tuple[web.AppRunner, str, ssl.SSLContext]:
    """A server that says nothing by itself."""
    pki = Pki.create(tmp_path)

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=autoping)
        await socket.prepare(request)
        async for _ in socket:
            continue
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.server_cert, pki.server_key)
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    trust = ssl.create_default_context(cadata=pki.ca.read_text())
    return runner, f"wss://127.0.0.1:{port}/", trust


@pytest.mark.parametrize("answers", [True, False])
async def test_pings_tell_a_quiet_server_from_a_dead_one(tmp_path: Path, answers: bool) -> None:
    runner, url, trust = await served(tmp_path, autoping=answers)
    socket = await WebSocket.connect(url, trust, {}, Limits(1000, silence=0.6))

    async def keep_pinging() -> None:
        while True:
            await socket.ping()
            await asyncio.sleep(0.2)

    pinging = asyncio.create_task(keep_pinging())
    with pytest.raises(WebSocketError if not answers else TimeoutError):
        async with asyncio.timeout(2.0):
            await socket.receive()
    pinging.cancel()
    socket.close()
    await runner.cleanup()


async def test_a_server_that_is_no_websocket_is_named(tmp_path: Path) -> None:
    runner, url, trust = await served(tmp_path, autoping=True)
    with pytest.raises(WebSocketError, match="404"):
        await WebSocket.connect(f"{url}elsewhere", trust, {}, Limits(1000, 5.0))
    await runner.cleanup()


async def test_an_unknown_authority_is_not_talked_to(tmp_path: Path) -> None:
    runner, url, _ = await served(tmp_path, autoping=True)
    with pytest.raises(ssl.SSLCertVerificationError):
        await WebSocket.connect(url, ssl.create_default_context(), {}, Limits(1000, 5.0))
    await runner.cleanup()
