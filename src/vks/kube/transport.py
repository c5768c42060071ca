"""HTTP to one API server: credentials, errors and timing. Knows no kinds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlencode, urlsplit

from vks.kube.config import ClientConfig
from vks.kube.errors import ApiError, TooManyRequests, Unavailable, error_from_status
from vks.kube.http1 import Answer, Connection
from vks.kube.pool import Endpoint, Pool

_CONNECT_TIMEOUT = 10.0
_TOKEN_FILE_TTL = 60.0
#: A refusal with 429 that names a time this short (seconds) is waited out, this often: the API
#: server did nothing, because it is busy or has just begun to serve a kind. client-go does too.
_SHED_WAIT = 2.0
_SHED_RETRIES = 5

#: (method, host, code, seconds) of every finished request; code is "<error>" without answer.
RequestObserver = Callable[[str, str, str, float], None]


class Request(NamedTuple):
    """One call. `path` is already quoted."""

    method: str
    path: str
    params: Mapping[str, str]
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"


class Transport:
    """Sends requests with our credentials over kept connections. Close it when done."""

    def __init__(self, config: ClientConfig, *, user_agent: str, timeout: float) -> None:
        parts = urlsplit(config.server)
        self.host = parts.netloc
        self.observer: RequestObserver | None = None
        self._config = config
        self._base_path = parts.path.rstrip("/")
        # Compressing costs both sides more than a data centre's network does.
        self._fixed_head = (
            f"Host: {parts.netloc.rpartition('@')[2]}\r\n"
            f"User-Agent: {user_agent}\r\n"
            "Accept-Encoding: identity\r\n"
        )
        self._timeout = timeout
        self._pool: Pool | None = None
        self._closed = False
        self._opening = asyncio.Lock()
        self._token = config.token
        self._token_read_at = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes every connection; running requests fail with Unavailable."""
        self._closed = True
        if self._pool is not None:
            self._pool.close()

    async def send(self, request: Request) -> bytes:
        """The body of a 2xx answer. Raises ApiError."""
        for _ in range(_SHED_RETRIES):
            try:
                return await self._exchange(request)
            except TooManyRequests as error:
                wait = error.retry_after
                if not wait or wait > _SHED_WAIT:
                    raise
            await asyncio.sleep(wait)
        return await self._exchange(request)

    async def _exchange(self, request: Request) -> bytes:
        try:
            pool, connection, answer = await self._begin(request, self._timeout)
            try:
                body = await connection.body()
            finally:
                pool.release(connection)
        except (OSError, TimeoutError) as error:
            raise _no_answer(request, error) from error
        if answer.status >= 300:
            raise self._refusal(answer, body)
        return body

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of a 2xx answer as they arrive. Raises ApiError, also from within.

        A stream has no total time; whoever reads it watches over its silence.
        """
        pool, connection, answer = await self._begin(request)
        try:
            chunks = _chunks(request, connection)
            if answer.status >= 300:
                raise self._refusal(answer, b"".join([chunk async for chunk in chunks]))
            yield chunks
        finally:
            pool.release(connection)

    async def _begin(
        self, request: Request, timeout: float | None = None
    ) -> tuple[Pool, Connection, Answer]:
        """Sends the request and waits for the head of its answer. Raises Unavailable."""
        started = time.perf_counter()
        code = "<error>"
        try:
            pool = await self._open()
            data = self._encoded(request, await self._current_token())
            connection, answer = await pool.send(
                data, safe=request.method == "GET", timeout=timeout
            )
            code = str(answer.status)
        except (OSError, TimeoutError, ValueError) as error:
            # ValueError: a URL, certificates or a token that cannot be used.
            raise _no_answer(request, error) from error
        finally:
            if self.observer is not None:
                elapsed = time.perf_counter() - started
                self.observer(request.method, self.host, code, elapsed)
        return pool, connection, answer

    def _refusal(self, answer: Answer, body: bytes) -> ApiError:
        if answer.status == 401:
            self._token_read_at = float("-inf")  # the file may hold a newer one already
        return error_from_status(
            body,
            http_status=answer.status,
            retry_after=_seconds(answer.header(b"retry-after")),
        )

    async def _open(self) -> Pool:
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    endpoint = Endpoint.of(
                        self._config.server,
                        await asyncio.to_thread(self._config.ssl_context),
                        proxy_url=self._config.proxy_url,
                        tls_name=self._config.tls_server_name,
                    )
                    patience = min(_CONNECT_TIMEOUT, self._timeout)
                    self._pool = Pool(endpoint, connect_timeout=patience)
        if self._closed:
            raise Unavailable("the client is closed", reason="ClientClosed")
        return self._pool

    def _encoded(self, request: Request, token: str) -> bytes:
        """The request on the wire. Raises ValueError for a token that is no header's value."""
        target = self._base_path + request.path
        if request.params:
            target = f"{target}?{_query(tuple(request.params.items()))}"
        head = (
            f"{request.method} {target} HTTP/1.1\r\n{self._fixed_head}Accept: {request.accept}\r\n"
        )
        if token:
            if not token.isprintable():
                raise ValueError("the token is not a line of text")
            head += f"Authorization: Bearer {token}\r\n"
        if request.body is None:
            return f"{head}\r\n".encode()
        length = f"Content-Length: {len(request.body)}\r\n"
        return f"{head}Content-Type: {request.content_type}\r\n{length}\r\n".encode() + request.body

    async def _current_token(self) -> str:
        path = self._config.token_file
        if path is not None and time.monotonic() - self._token_read_at > _TOKEN_FILE_TTL:
            self._token = (await asyncio.to_thread(path.read_text)).strip()
            self._token_read_at = time.monotonic()
        return self._token


@lru_cache(maxsize=256)  # a controller's writes have the same few parameters each time
def _query(params: tuple[tuple[str, str], ...]) -> str:
    return urlencode(params)


async def _chunks(request: Request, connection: Connection) -> AsyncIterator[bytes]:
    try:
        async for chunk in connection.chunks():
            yield chunk
    except OSError as error:
        raise _no_answer(request, error) from error


def _no_answer(request: Request, error: Exception) -> Unavailable:
    what = str(error) or type(error).__name__
    return Unavailable(f"{request.method} {request.path}: {what}", reason="NoAnswer")


def _seconds(text: bytes | None) -> float | None:
    return float(text) if text and text.isdigit() else None
