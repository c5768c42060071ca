"""HTTP to one API server: connections, credentials, errors and timing. Knows no kinds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from vks.kube.config import ClientConfig
from vks.kube.errors import ApiError, Unavailable, error_from_status

_CONNECT_TIMEOUT = 10.0
_TOKEN_FILE_TTL = 60.0

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
        self.host = urlsplit(config.server).netloc
        self.observer: RequestObserver | None = None
        self._config = config
        self._user_agent = user_agent
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=_CONNECT_TIMEOUT)
        # A watch has no total time; whoever reads it watches over its silence.
        self._stream_timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_TIMEOUT, sock_read=None
        )
        self._session: aiohttp.ClientSession | None = None
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
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request) -> bytes:
        """The body of a 2xx answer. Raises ApiError."""
        async with self._exchange(request, self._timeout) as response:
            try:
                return await response.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise _no_answer(request, error) from error

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of a 2xx answer as they arrive. Raises ApiError, also from within."""
        async with self._exchange(request, self._stream_timeout) as response:
            yield _chunks(request, response)

    @asynccontextmanager
    async def _exchange(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        started = time.perf_counter()
        code = "<error>"
        try:
            session = await self._open()
            response = await session.request(
                request.method,
                URL(self._config.server + request.path, encoded=True).extend_query(request.params),
                data=request.body,
                headers=await self._headers(request),
                timeout=timeout,
                proxy=self._config.proxy_url or None,
                server_hostname=self._config.tls_server_name or None,
                allow_redirects=False,
            )
            code = str(response.status)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # OSError and ValueError: certificates or a token file that cannot be used.
            raise _no_answer(request, error) from error
        finally:
            if self.observer is not None:
                elapsed = time.perf_counter() - started
                self.observer(request.method, self.host, code, elapsed)
        async with response:
            if response.status >= 300:
                raise await self._refusal(request, response)
            yield response

    async def _refusal(self, request: Request, response: aiohttp.ClientResponse) -> ApiError:
        if response.status == 401:
            self._token_read_at = float("-inf")  # the file may hold a newer one already
        try:
            body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _no_answer(request, error)
        return error_from_status(
            body,
            http_status=response.status,
            retry_after=_seconds(response.headers.get("Retry-After", "")),
        )

    async def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            async with self._opening:
                if self._session is None:
                    context = await asyncio.to_thread(self._config.ssl_context)
                    self._session = aiohttp.ClientSession(
                        connector=aiohttp.TCPConnector(
                            ssl=True if context is None else context,
                            limit=0,  # every watch holds a connection; workers bound the rest
                        ),
                        # Compressing costs both sides more than a data centre's network does.
                        headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
                        auto_decompress=False,
                        cookie_jar=aiohttp.DummyCookieJar(),
                    )
        if self._session.closed:
            raise Unavailable("the client is closed", reason="ClientClosed")
        return self._session

    async def _headers(self, request: Request) -> dict[str, str]:
        headers = {"Accept": request.accept}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if token := await self._current_token():
            headers["Authorization"] = f"Bearer {token}"
        return headers

    async def _current_token(self) -> str:
        path = self._config.token_file
        if path is not None and time.monotonic() - self._token_read_at > _TOKEN_FILE_TTL:
            self._token = (await asyncio.to_thread(path.read_text)).strip()
            self._token_read_at = time.monotonic()
        return self._token


async def _chunks(request: Request, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _no_answer(request, error) from error


def _no_answer(request: Request, error: Exception) -> Unavailable:
    what = str(error) or type(error).__name__
    return Unavailable(f"{request.method} {request.path}: {what}", reason="NoAnswer")


def _seconds(text: str) -> float | None:
    return float(text) if text.isdigit() else None
