"""Publishes a region on the host's loopback: some of its ports, and a way to its addresses.

    python -m vks.local.platform.gateway --netns PATH --publish PORT… --proxy PORT --allow CIDR

A published port of 127.0.0.1 leads to the same port of 127.0.0.1 inside the fabric. The proxy
answers HTTP CONNECT (what a kubeconfig's `proxy-url` speaks) for fabric addresses only, so
nothing that the host or another region owns can be reached through it.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from vks.local.platform.netns import connect

log = structlog.get_logger()

CONNECT_SECONDS = 10.0
#: A CONNECT request is a line and a few headers.
HEAD_LIMIT = 16 * 2**10
_CHUNK = 2**16

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RefusedError(Exception):
    """A CONNECT request that is not granted: status line, and why in the body."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def parse_connect(head: bytes, allowed: ipaddress.IPv4Network) -> tuple[str, int]:
    """Address and port of a CONNECT request's head. Raises RefusedError.

    Names are refused: nothing resolves inside the fabric, and a kubeconfig holds an address.
    """
    method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
    if method != "CONNECT":
        raise RefusedError("405 Method Not Allowed", "this proxy only answers CONNECT")
    host, _, port = rest.partition(" ")[0].rpartition(":")
    try:
        address = ipaddress.IPv4Address(host)
        number = int(port)
    except ValueError:
        raise RefusedError("400 Bad Request", f"{rest!r} is not ADDRESS:PORT") from None
    if address not in allowed or not 0 < number < 2**16:
        raise RefusedError("403 Forbidden", f"{host}:{port} is not in the fabric ({allowed})")
    return str(address), number


async def relay(
    first: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    second: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Copies both ways; an end of file is passed on, so half-closed connections work."""
    await asyncio.gather(_copy(first[0], second[1]), _copy(second[0], first[1]))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:  # a reset by one side ends the connection for both
        writer.transport.abort()


def published(netns: Path, port: int) -> Handler:
    """Leads to 127.0.0.1:port of the fabric; a refusal there is a reset here."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner = await connect(netns, "127.0.0.1", port, CONNECT_SECONDS)
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        await _relay_to(inner, reader, writer)

    return handle


def proxy(netns: Path, allowed: ipaddress.IPv4Network) -> Handler:
    """Answers CONNECT."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner = await _granted(reader, netns, allowed)
        except RefusedError as error:
            body = f"{error}\n".encode()
            head = f"HTTP/1.1 {error.status}\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _relay_to(inner, reader, writer)

    return handle


async def _granted(
    reader: asyncio.StreamReader, netns: Path, allowed: ipaddress.IPv4Network
) -> socket.socket:
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), CONNECT_SECONDS)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        raise RefusedError("400 Bad Request", "no CONNECT request") from None
    address, port = parse_connect(head, allowed)
    try:
        return await connect(netns, address, port, CONNECT_SECONDS)
    except TimeoutError:
        raise RefusedError("504 Gateway Timeout", f"{address}:{port} does not answer") from None
    except OSError as error:
        raise RefusedError("502 Bad Gateway", f"{address}:{port}: {error.strerror}") from None


async def _relay_to(
    inner: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    inside = await asyncio.open_connection(sock=inner)
    try:
        await relay((reader, writer), inside)
    finally:
        inside[1].close()
        writer.close()


def _guarded(handler: Handler) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError as error:
            log.debug("connection lost", error=str(error))
            writer.close()

    return handle


async def serve(
    netns: Path, ports: list[int], proxy_port: int, allowed: ipaddress.IPv4Network
) -> None:
    """Serves until SIGTERM or SIGINT. Raises OSError when a port is taken."""
    handlers = {port: published(netns, port) for port in ports}
    handlers[proxy_port] = proxy(netns, allowed)
    servers = [
        await asyncio.start_server(_guarded(handler), "127.0.0.1", port, limit=HEAD_LIMIT)
        for port, handler in handlers.items()
    ]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    for server in servers:
        server.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="vks-gateway", description=__doc__)
    parser.add_argument("--netns", type=Path, required=True)
    parser.add_argument("--publish", type=int, action="append", default=[])
    parser.add_argument("--proxy", type=int, required=True)
    parser.add_argument("--allow", type=ipaddress.IPv4Network, required=True)
    options = parser.parse_args(arguments)
    asyncio.run(serve(options.netns, options.publish, options.proxy, options.allow))
    return 0


if __name__ == "__main__":
    sys.exit(main())
