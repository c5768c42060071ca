"""One HTTP/1.1 connection: what talking to an API server needs of it, and no more.

Requests are what controllers spend most of their CPU on, and a general client's features are what
a request costs most. The parser is llhttp, Node.js' own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple, cast

import httptools

from vks.kube.alarm import Alarm

#: A stream that is not read is not received either, once that many bytes wait.
_HIGH_WATER = 1024 * 1024


class Answer(NamedTuple):
    """The head of a response, as it came."""

    status: int
    headers: dict[bytes, bytes]

    def header(self, name: bytes) -> bytes | None:
        """The header of that name, which is in lower case."""
        return next((v for known, v in self.headers.items() if known.lower() == name), None)


class DisconnectedError(ConnectionError):
    """The connection ended before the answer did. `unanswered`: before any byte of it came."""

    def __init__(self, message: str, *, unanswered: bool = False) -> None:
        super().__init__(message)
        self.unanswered = unanswered


class Connection(asyncio.Protocol):
    """One connection; it carries one request at a time."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.reusable = True
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._headers: dict[bytes, bytes] = {}  # of the head that arrives just now
        self.on_header = self._headers.__setitem__
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._waiting = 0  # bytes in `_parts`
        self._head: Answer | None = None
        self._complete = True
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._limit = Alarm(self._loop, self._expire)

    def send(self, data: bytes, timeout: float | None = None) -> None:
        """Starts an exchange; read its answer before the next one. One that is not over after
        `timeout` seconds fails with TimeoutError."""
        if self._transport is None or self._error is not None:
            raise DisconnectedError("the connection is closed", unanswered=True)
        self._headers.clear()
        self._parts, self._waiting = [], 0
        self._head, self._complete = None, False
        if timeout is not None:
            self._limit.set(timeout)
        self._transport.write(data)

    async def head(self) -> Answer:
        """The answer's head. Raises DisconnectedError, TimeoutError."""
        while self._head is None:
            await self._progress()
        return self._head

    async def body(self) -> bytes:
        """The whole body. Raises DisconnectedError, TimeoutError."""
        parts: list[bytes] = []
        while not self._complete:
            if self._waiting > _HIGH_WATER:
                parts.append(self._take())
            await self._progress()
        parts.append(self._take())
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises DisconnectedError."""
        while not self._complete or self._parts:
            if self._parts:
                yield self._take()
            else:
                await self._progress()

    def close(self) -> None:
        """Ends the connection at once."""
        self.reusable = False
        self._limit.close()
        if self._transport is not None:
            self._transport.abort()

    @property
    def at_rest(self) -> bool:
        """Whether the connection can carry another request."""
        return self.reusable and self._complete and self._error is None

    async def _progress(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _take(self) -> bytes:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._waiting = [], 0
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()
        return data

    # --- what asyncio and the parser tell ----------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # TCP and TLS are; uvloop's do not say

    def data_received(self, data: bytes) -> None:
        if self._complete:  # nothing was asked for
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(DisconnectedError(f"not an HTTP answer: {error}"))
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.reusable = False
        self._limit.close()
        if error is None and self._head is not None and not _has_length(self._head):
            self._complete = True  # such a body ends with the connection
        unanswered = self._head is None and not self._headers
        self._fail(DisconnectedError(str(error or "the server hung up"), unanswered=unanswered))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:  # before it come only interim answers
            self._head = Answer(status, self._headers.copy())
            self._wake()
        self._headers.clear()

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)
        self._waiting += len(data)
        if self._waiting > _HIGH_WATER and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        if self._head is not None:
            self._complete = True
            self._limit.clear()
            self.reusable = self.reusable and self._parser.should_keep_alive()
            self._wake()

    def _expire(self) -> None:
        self._fail(TimeoutError("no answer in time"))

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            self._wake()


def _has_length(head: Answer) -> bool:
    return bool(head.header(b"content-length") or head.header(b"transfer-encoding"))
