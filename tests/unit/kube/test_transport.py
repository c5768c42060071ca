"""Requests over kept connections, against servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from vks.kube.config import ClientConfig
from vks.kube.errors import NotFound, TooManyRequests, Unavailable
from vks.kube.transport import Request, Transport

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GET, PATCH = Request("GET", "/api", {}), Request("PATCH", "/api", {"force": "true"}, b"{}")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def client(server: str, timeout: float = 5.0, **config: str) -> AsyncIterator[Transport]:
    settings = ClientConfig(server=server, **config)  # type: ignore[arg-type]
    async with Transport(settings, user_agent="test", timeout=timeout) as transport:
        yield transport


async def head(reader: asyncio.StreamReader) -> str:
    text = (await reader.readuntil(b"\r\n\r\n")).decode()
    if "Content-Length: " in text:
        await reader.readexactly(int(text.partition("Content-Length: ")[2].split("\r\n")[0]))
    return text


async def test_what_is_sent() -> None:
    seen: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append(await head(reader))
            writer.write(OK)

    async with serving(handler) as url, client(f"{url}/k8s/clusters/c", token="secret") as api:
        assert await api.send(PATCH) == b"ok"
    lines = seen[0].split("\r\n")
    assert lines[0] == "PATCH /k8s/clusters/c/api?force=true HTTP/1.1"
    host = url.removeprefix("http://")
    assert {f"Host: {host}", "Authorization: Bearer secret", "Content-Length: 2"} <= {*lines}


async def test_requests_share_a_connection_unless_they_overlap() -> None:
    connections = 0
    both = asyncio.Barrier(2)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            if "together" in await head(reader):
                await both.wait()
            writer.write(OK)

    together = Request("GET", "/together", {})
    async with serving(handler) as url, client(url) as api:
        for _ in range(3):
            await api.send(GET)
        assert connections == 1
        await asyncio.gather(api.send(together), api.send(together))
        assert connections == 2


async def test_a_kept_connection_that_was_closed_costs_a_read_nothing() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(OK)
        await head(reader)  # hangs up without an answer

    async with serving(once) as url, client(url) as api:
        assert [await api.send(GET) for _ in range(3)] == [b"ok"] * 3
        # A write may have been performed: whoever asked has to look.
        with pytest.raises(Unavailable, match="PATCH /api"):
            await api.send(PATCH)


async def test_errors_are_the_api_servers() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await head(reader)
        writer.write(b"HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
        await head(reader)

    async with serving(handler) as url, client(url) as api:
        with pytest.raises(NotFound):
            await api.send(GET)
        with pytest.raises(TooManyRequests) as busy:
            async with api.stream(GET):
                pass
        assert busy.value.retry_after == 7.0


async def test_a_short_refusal_is_waited_out_a_long_one_is_told() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for seconds in (b"1", b"60"):
            await head(reader)
            writer.write(
                b"HTTP/1.1 429 Busy\r\nRetry-After: " + seconds + b"\r\nContent-Length: 0\r\n\r\n"
            )
            if seconds == b"1":
                await head(reader)
                writer.write(OK)
        await head(reader)

    async with serving(handler) as url, client(url) as api:
        assert await api.send(GET) == b"ok"
        with pytest.raises(TooManyRequests):
            await api.send(GET)


async def test_silence_ends_at_the_timeout_and_its_connection_with_it() -> None:
    hung_up = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await reader.read()
        hung_up.set()

    async with serving(handler) as url, client(url, timeout=0.05) as api:
        with pytest.raises(Unavailable, match="no answer in time"):
            await api.send(GET)
        await hung_up.wait()


async def test_a_stream_that_is_left_early_is_not_used_again() -> None:
    hung_up = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
        await reader.read()
        hung_up.set()

    async with serving(handler) as url, client(url) as api:
        async with api.stream(GET) as chunks:
            assert await anext(chunks) == b"hi"
        await hung_up.wait()


async def test_closing_fails_what_is_under_way_and_what_comes_later() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await api.close()
        await reader.read()

    async with serving(handler) as url, client(url) as api:
        with pytest.raises(Unavailable):
            await api.send(GET)
        with pytest.raises(Unavailable, match="closed"):
            await api.send(GET)


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with client(f"http://127.0.0.1:{unused.getsockname()[1]}") as api:
            with pytest.raises(Unavailable, match="GET /api"):
                await api.send(GET)


async def test_a_token_that_would_add_a_header_is_refused() -> None:
    async with client("http://127.0.0.1:1", token="a\r\nX-Remote-User: admin") as api:
        with pytest.raises(Unavailable, match="token is not a line"):
            await api.send(GET)


async def test_through_a_proxy() -> None:
    seen: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        writer.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        seen.append(await head(reader))
        writer.write(OK)
        await reader.read()

    async with serving(proxy) as url:
        proxy_url = url.replace("http://", "http://user:pass%20word@")
        async with client("http://server.invalid:6443", proxy_url=proxy_url) as api:
            assert await api.send(GET) == b"ok"
    assert seen[0].startswith("CONNECT server.invalid:6443 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n" in seen[0]
    assert seen[1].startswith("GET /api HTTP/1.1\r\n")


async def test_a_proxy_that_refuses_says_why() -> None:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        await reader.read()

    async with serving(proxy) as url, client("https://server.invalid", proxy_url=url) as api:
        with pytest.raises(Unavailable, match=r"the proxy refuses: .* 403"):
            await api.send(GET)
