"""Kept connections to one server, made directly or through an HTTP proxy."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from vks.kube.http1 import Answer, Connection, DisconnectedError

#: Seconds after which a server may have closed a connection that nobody used.
_IDLE = 30.0
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Endpoint(NamedTuple):
    """A server, as its URL and a proxy's (or none) name it. `tls_name` overrides the name that
    its certificate must be for."""

    host: str
    port: int
    context: ssl.SSLContext | None
    proxy_url: str = ""
    tls_name: str = ""

    @classmethod
    def of(
        cls, url: str, context: ssl.SSLContext | None, *, proxy_url: str = "", tls_name: str = ""
    ) -> Endpoint:
        """Raises ValueError for a URL without a host or with another scheme than http(s)."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError(f"not an http(s) URL: {url!r}")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        secure = context if parts.scheme == "https" else None
        return cls(parts.hostname, port, secure, proxy_url, tls_name)


class Pool:
    """The connections to one server."""

    def __init__(self, endpoint: Endpoint, *, connect_timeout: float) -> None:
        """`connect_timeout` in seconds, the TLS handshake included."""
        self._endpoint = endpoint
        self._connect_timeout = connect_timeout
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._closed = False
        self._loop = asyncio.get_running_loop()  # to ask for it each time is a system call

    async def send(
        self, data: bytes, *, safe: bool, timeout: float | None = None
    ) -> tuple[Connection, Answer]:
        """Sends the request `data`; the connection that it went by, and the answer's head. Pass
        the connection to `release` afterwards. `timeout` in seconds is for the whole answer, from
        when there is a connection.

        A request that is `safe` to send twice is sent again when a kept connection turns out to
        have been closed. Raises OSError (DisconnectedError among them) and TimeoutError.
        """
        while True:
            connection = self._kept()
            kept = connection is not None
            if connection is None:
                connection = await self._connect()
            self._busy.add(connection)
            try:
                connection.send(data, timeout)
                return connection, await connection.head()
            except BaseException as error:
                self.release(connection)
                stale = isinstance(error, DisconnectedError) and error.unanswered
                if not (kept and safe and stale):
                    raise

    def release(self, connection: Connection) -> None:
        """Keeps the connection for the next request; ends it when its answer was not read."""
        self._busy.discard(connection)
        if connection.at_rest and not self._closed:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Ends all connections; what is under way fails with DisconnectedError."""
        self._closed = True
        for connection in [*self._idle, *self._busy]:
            connection.close()
        self._idle.clear()

    def _kept(self) -> Connection | None:
        oldest = self._loop.time() - _IDLE
        while self._idle:
            connection = self._idle.pop()  # the one used last: the others may age
            if connection.at_rest and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        host, port, context, proxy_url, tls_name = self._endpoint
        name = (tls_name or host) if context is not None else None
        async with asyncio.timeout(self._connect_timeout):
            if proxy_url:
                tunnel = await _tunnel(proxy_url, host, port, self._connect_timeout)
                _, connection = await self._loop.create_connection(
                    Connection, sock=tunnel, ssl=context, server_hostname=name
                )
            else:
                _, connection = await self._loop.create_connection(
                    Connection, host, port, ssl=context, server_hostname=name
                )
        return connection


async def _tunnel(proxy_url: str, host: str, port: int, timeout: float) -> socket.socket:
    """A socket to the server by way of an HTTP proxy (RFC 9110, CONNECT)."""
    proxy = urlsplit(proxy_url)
    if proxy.scheme != "http" or not proxy.hostname:
        raise ValueError("only http proxies are supported")
    address = (proxy.hostname, proxy.port or _DEFAULT_PORTS["http"])
    tunnel = await asyncio.to_thread(socket.create_connection, address, timeout)
    try:
        tunnel.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(
            tunnel, _connect_request(proxy.username, proxy.password, host, port)
        )
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            # Byte by byte at the end: what follows the head belongs to the server.
            received = await loop.sock_recv(tunnel, 1)
            if not received:
                raise DisconnectedError("the proxy hung up")
            answer += received
        status = answer.split(b" ", 2)[1:2]
        if status != [b"200"]:
            first = answer.split(b"\r\n", 1)[0].decode("latin-1")
            raise DisconnectedError(f"the proxy refuses: {first}")
    except BaseException:
        tunnel.close()
        raise
    return tunnel


def _connect_request(user: str | None, password: str | None, host: str, port: int) -> bytes:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if user is not None:
        plain = f"{unquote(user)}:{unquote(password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(plain.encode()).decode()}")
    return "\r\n".join((*lines, "", "")).encode()
