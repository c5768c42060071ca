"""Around every request: its id, the limit of its body, the access log and the audit log."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vks.service.api.auth import Caller
from vks.service.api.problems import Problem

access = structlog.get_logger("vks.access")
audit = structlog.get_logger("vks.audit")

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_READS = ("GET", "HEAD", "OPTIONS")


class Envelope:
    """ASGI middleware. Bodies are read before the application runs: they are small."""

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["vks.request_id"] = _request_id(scope)
        started = time.monotonic()
        status = 500

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                header = (b"x-request-id", scope["vks.request_id"].encode())
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            body = await self._read(scope, receive)
            if body is None:
                await self._refuse(scope, receive, observe)
            else:
                await self._app(scope, _replay(body, receive), observe)
        finally:
            _log(scope, status, time.monotonic() - started)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body, or None when it is too large."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b"".join(chunks)
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._max_body:
                return None
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = Problem("body_too_large", f"a body has at most {self._max_body} bytes")
        await problem.response(Request(scope))(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _request_id(scope: Scope) -> str:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    given = next((value for name, value in headers if name == b"x-request-id"), b"")
    text = given.decode("latin-1")
    return text if _ID.fullmatch(text) else secrets.token_hex(8)


def _log(scope: Scope, status: int, seconds: float) -> None:
    """The path without its query, no header, no body: nothing in the log is a secret."""
    caller: Caller | None = scope.get("vks.caller")
    facts: dict[str, Any] = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "request_id": scope["vks.request_id"],
        "user": caller.user_name if caller else None,
        "project": caller.project_id if caller else None,
    }
    access.info("request", seconds=round(seconds, 4), **facts)
    if scope["method"] not in _READS:
        facts["user_id"] = caller.user_id if caller else None
        audit.info("mutation", result="accepted" if status < 400 else "refused", **facts)
