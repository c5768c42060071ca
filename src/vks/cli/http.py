"""HTTP with the standard library only: importing a client library would double the start-up."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from vks.cli.errors import UNAVAILABLE, CliError

#: A watch sends a comment every 15 s; three missed ones mean that the line is dead.
TIMEOUT_SECONDS = 50.0


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """Raises CliError when the body is something else, such as a proxy's page."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            text = self.body[:60].decode(errors="replace")
            raise CliError(
                f"the answer ({self.status}) is no JSON: {text!r}", UNAVAILABLE
            ) from error


class Origin:
    """One server. Raises CliError when it cannot be reached."""

    def __init__(self, url: str, cafile: str | None = None) -> None:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError as error:
            raise CliError(f"{url!r} is no URL: {error}", UNAVAILABLE) from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CliError(f"{url!r} is not an http(s) URL", UNAVAILABLE)
        self._parts = parts
        self._base = parts.path.rstrip("/")
        self._cafile = cafile

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            try:
                context = ssl.create_default_context(cafile=self._cafile)
            except OSError as error:
                raise CliError(f"cannot use cacert {self._cafile}: {error}", UNAVAILABLE) from error
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)

    def _send(
        self, method: str, path: str, headers: dict[str, str], body: Any
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self._open()
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers} if data else headers
        try:
            connection.request(method, self._base + path, data, sent)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise CliError(
                f"cannot reach {self._parts.scheme}://{self._parts.netloc}: {error}", UNAVAILABLE
            ) from error

    def call(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Answer:
        """One request; every status is an answer."""
        connection, response = self._send(method, path, headers, body)
        try:
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise CliError(f"the answer was cut short: {error}", UNAVAILABLE) from error
        finally:
            connection.close()

    def lines(self, path: str, headers: dict[str, str]) -> Iterator[str | Answer]:
        """Lines of a stream until the server ends it; an Answer alone when it is an error."""
        connection, response = self._send("GET", path, headers, None)
        try:
            if response.status != 200:
                yield Answer(response.status, response.headers, response.read())
                return
            while line := response.readline():
                yield line.decode().rstrip("\r\n")
        except (OSError, http.client.HTTPException) as error:
            raise CliError(f"the stream was cut: {error}", UNAVAILABLE) from error
        finally:
            connection.close()


def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Event name and data of a server-sent event stream (HTML living standard, 9.2).

    A comment, the server's sign of life, comes as a pair of empty strings: time has passed.
    """
    name = ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield name or "message", "\n".join(data)
            name, data = "", []
            continue
        if line.startswith(":"):
            yield "", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
