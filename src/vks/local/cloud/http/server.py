"""From aiohttp's request to a handler and back: routing, tokens, faults, transactions."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any, cast

import msgspec
from aiohttp import web

from vks.local.cloud.cloud import Cloud
from vks.local.cloud.compute.microversion import answer_headers, negotiate
from vks.local.cloud.core.ids import new_uuid
from vks.local.cloud.faults.rules import FaultRule
from vks.local.cloud.http.call import ANONYMOUS, Access, Call, Caller, Json, Reply
from vks.local.cloud.http.errors import ApiError, bad_request, unauthorized
from vks.local.cloud.http.router import Route, Service
from vks.local.cloud.identity.tokens import judge

_log = logging.getLogger(__name__)

_MAX_BODY = 1024 * 1024  # bytes; user data is the largest thing that is ever sent


class _LoseAnswerError(Exception):
    """A fault rule wants the connection closed without an answer."""


class Dispatcher:
    """Answers every request of the process."""

    def __init__(self, cloud: Cloud, services: list[Service]) -> None:
        self._cloud = cloud
        self._services = services

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        service = self._service(request.path)
        request_id = f"req-{new_uuid()}"
        if service is None:
            reply = Reply(404, {"error": {"code": 404, "title": "Not Found", "message": ""}})
            return _response(reply, request_id)
        kind, answer = await self._answer(service, request)
        if answer is None:
            self._cloud.calls.add(kind, 0)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)  # never leaves: the connection is gone
        self._cloud.calls.add(kind, answer.status)
        return _response(answer, request_id)

    def _service(self, path: str) -> Service | None:
        for service in self._services:
            if path == service.prefix or path.startswith(service.prefix + "/"):
                return service
        return None

    async def _answer(self, service: Service, request: web.Request) -> tuple[str, Reply | None]:
        """(kind of call, answer); no answer when a fault rule takes it away."""
        kind = f"{service.name} {request.method} (unknown)"
        extra: dict[str, str] = {}
        try:
            path = request.path[len(service.prefix) :]
            self._limit(service)
            route, params = service.match(request.method, path)
            kind = f"{service.name} {request.method} {route.path or '/'}"
            version = (2, 1)
            if service.name == "compute":
                version = negotiate(request.headers)
                extra = answer_headers(version)
                if not route.minimum <= version[1] <= route.maximum:
                    raise ApiError(404, "The resource could not be found.")
            faults = await self._misbehave(service, request.method, path)
            reply = await self._handle(service, route, request, params, version)
            if any(rule.action == "drop_after" for rule in faults):
                return kind, None
        except _LoseAnswerError:
            return kind, None
        except ApiError as error:
            reply = _refusal(service, error)
        except web.HTTPRequestEntityTooLarge:
            reply = _refusal(service, ApiError(413, "Request is too large."))
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            reply = _refusal(service, ApiError(500, "The server has an internal error."))
        return kind, Reply(reply.status, reply.body, {**extra, **reply.headers})

    def _limit(self, service: Service) -> None:
        wait = None if service.name == "admin" else self._cloud.rate_limit.retry_after()
        if wait is not None:
            raise ApiError(
                429, "This request was rate-limited.", headers={"Retry-After": str(wait)}
            )

    async def _misbehave(self, service: Service, method: str, path: str) -> list[FaultRule]:
        if service.name == "admin":
            return []
        struck = self._cloud.faults.hits(service.name, method, path)
        for rule in struck:
            if rule.delay:
                await asyncio.sleep(rule.delay)
            if rule.action == "drop_before":
                raise _LoseAnswerError
            if rule.action == "error":
                wait = rule.retry_after
                headers = {"Retry-After": str(wait)} if wait is not None else {}
                raise ApiError(rule.status, "Injected fault.", headers=headers)
        return struck

    async def _handle(
        self,
        service: Service,
        route: Route,
        request: web.Request,
        params: dict[str, str],
        version: tuple[int, int],
    ) -> Reply:
        caller = self._caller(service, route, request)
        call = Call(
            cloud=self._cloud,
            method=request.method,
            path=request.path,
            base_url=f"{request.scheme}://{request.host}",
            params=params,
            query=request.query,
            headers=request.headers,
            body=await _body(request),
            caller=caller,
            version=version,
        )
        if inspect.iscoroutinefunction(route.handler):
            return cast(Reply, await route.handler(call))
        with self._cloud.db.transaction():
            return cast(Reply, route.handler(call))

    def _caller(self, service: Service, route: Route, request: web.Request) -> Caller:
        """Raises ApiError 401 without a valid token and 403 where its roles do not suffice."""
        if route.access is Access.PUBLIC:
            return ANONYMOUS
        secret = request.headers.get("X-Auth-Token", "")
        grant = judge(self._cloud.db, secret) if secret else None
        if grant is None:
            refusal = unauthorized()
            refusal.headers["WWW-Authenticate"] = (
                f'Keystone uri="{self._cloud.settings.url}/identity"'
            )
            raise refusal
        caller = grant.caller()
        needs_project = route.access >= Access.READER and service.name != "identity"
        if caller.access < route.access or (needs_project and caller.project_id is None):
            raise service.forbid(route.action or f"{service.name}:{route.method.lower()}")
        return caller


async def _body(request: web.Request) -> Any:
    raw = await request.read()
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise bad_request("Malformed request body: cannot understand JSON") from wrong


def _refusal(service: Service, error: ApiError) -> Reply:
    return Reply(error.status, service.render(error), error.headers)


def _response(reply: Reply, request_id: str) -> web.Response:
    headers = {**reply.headers, "X-Openstack-Request-Id": request_id}
    if reply.body is None:
        return web.Response(status=reply.status, headers=headers)
    if isinstance(reply.body, str):
        return web.Response(
            status=reply.status, text=reply.body, content_type="text/html", headers=headers
        )
    body: Json = reply.body
    return web.Response(
        status=reply.status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )
