"""The client's side of a websocket (RFC 6455), as far as text messages go."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x8, 0x9, 0xA
_HEADER_LIMIT = 16 * 1024


class WebSocketError(Exception):
    """The other side refused the connection, broke the protocol, or went away."""


class Limits(NamedTuple):
    """`message` in bytes; `silence` in seconds, after which a connection counts as lost."""

    message: int
    silence: float


class WebSocket:
    """An open connection. `receive` may run beside `send`, each in one task at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._sending = asyncio.Lock()

    @classmethod
    async def connect(
        cls, url: str, context: ssl.SSLContext, headers: dict[str, str], limits: Limits
    ) -> WebSocket:
        """Opens `wss://HOST:PORT/PATH`. Raises WebSocketError, OSError, TimeoutError."""
        async with asyncio.timeout(limits.silence):
            return await cls._connect(url, context, headers, limits)

    @classmethod
    async def _connect(
        cls, url: str, context: ssl.SSLContext, headers: dict[str, str], limits: Limits
    ) -> WebSocket:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname=host, limit=_HEADER_LIMIT
        )
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            fields = {
                "Host": f"{host}:{port}",
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Key": key,
                "Sec-WebSocket-Version": "13",
                **headers,
            }
            lines = [f"GET {parts.path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            await _check_answer(reader, key)
        except BaseException:
            writer.close()
            raise
        return cls(reader, writer, limits)

    async def send(self, text: str) -> None:
        await self._send(_TEXT, text.encode())

    async def receive(self) -> str:
        """The next message; pings are answered meanwhile. Raises WebSocketError at the end."""
        message = b""
        while True:
            final, opcode, payload = await self._frame()
            if opcode == _PING:
                await self._send(_PONG, payload)
            elif opcode == _CLOSE:
                raise WebSocketError("closed by the hub")
            elif opcode in (_TEXT, _CONTINUATION):
                message += payload
                if len(message) > self._limits.message:
                    raise WebSocketError("message too large")
                if final:
                    return message.decode()

    async def ping(self) -> None:
        """Makes the other side say something."""
        await self._send(_PING, b"")

    def close(self) -> None:
        """Ends the connection at once."""
        self._writer.transport.abort()

    async def _frame(self) -> tuple[bool, int, bytes]:
        try:
            async with asyncio.timeout(self._limits.silence):
                return await self._read_frame()
        except TimeoutError:
            raise WebSocketError(f"silence for {self._limits.silence:g} s") from None
        except asyncio.IncompleteReadError as error:
            raise WebSocketError("connection lost") from error

    async def _read_frame(self) -> tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await self._reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self._reader.readexactly(8), "big")
        if second & 0x80 or size > self._limits.message:
            raise WebSocketError("frame that a server must not send")
        return bool(first & 0x80), first & 0x0F, await self._reader.readexactly(size)

    async def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = bytes([0x80 | opcode, 0x80 | size])
        elif size < 65536:
            head = bytes([0x80 | opcode, 0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 0x80 | 127]) + size.to_bytes(8, "big")
        mask = os.urandom(4)
        async with self._sending:
            self._writer.write(head + mask + _masked(payload, mask))
            await self._writer.drain()


def _masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    both = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return both.to_bytes(size, "big")


async def _check_answer(reader: asyncio.StreamReader, key: str) -> None:
    try:
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise WebSocketError("no answer to the handshake") from error
    status, _, rest = answer.partition("\r\n")
    if status.split(" ")[1:2] != ["101"]:
        raise WebSocketError(f"refused: {status}")
    fields = dict(line.lower().split(": ", 1) for line in rest.split("\r\n") if ": " in line)
    digest = hashlib.sha1((key + _GUID).encode()).digest()  # noqa: S324 - RFC 6455 says so
    if fields.get("sec-websocket-accept") != base64.b64encode(digest).decode().lower():
        raise WebSocketError("the answer to the handshake is not a websocket's")
