"""Carries calls to the cloud's services: keystoneauth in threads, bounded in time and retries.

Retried here are only calls that may be repeated without harm (GET, PUT, DELETE), and only when
the cloud was unavailable. A POST is sent once: what to do when its answer is lost is known only
to the caller (see `vks.verda.once`). A call that was refused with 429 was not performed; it waits
for another turn, unless the cloud wants a pause that is better spent elsewhere (`vks.verda.pace`),
or refuses the same call again and again: whoever waits for it has to be told why.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec
import requests
from keystoneauth1 import exceptions as ksa
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from requests.adapters import HTTPAdapter

from vks.verda.credentials import CloudConfig
from vks.verda.errors import (
    CloudError,
    NotFound,
    RateLimited,
    Unauthorized,
    Unavailable,
    error_from,
)
from vks.verda.pace import Pace

T = TypeVar("T")
Params = Mapping[str, str | int] | Sequence[tuple[str, str | int]]

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
ATTEMPTS = 3
REFUSALS = 5  # 429s that one call takes before its caller is told
BACKOFF = 0.2  # seconds before the second attempt; doubles, with jitter
THREADS = 8
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class Service(NamedTuple):
    """A service of the catalog. `version` is appended to endpoints that do not end in it."""

    type: str
    version: str = ""
    microversion: str | None = None


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]


def thread_pool(threads: int = THREADS) -> ThreadPoolExecutor:
    """The threads that calls run in; `threads` is how many can be under way at once."""
    return ThreadPoolExecutor(threads, thread_name_prefix="verda")


class Transport:
    """The calls of one credential. Tokens are renewed by keystoneauth when they expire."""

    def __init__(
        self,
        plugin: BaseIdentityPlugin,
        config: CloudConfig,
        pool: ThreadPoolExecutor,
        *,
        read_timeout: float = READ_TIMEOUT,
        rng: random.Random | None = None,
    ) -> None:
        self.config = config
        self.plugin = plugin
        self._pool = pool
        self._pace = Pace(THREADS)
        self._read_timeout = read_timeout
        self._rng = rng or random.Random()  # noqa: S311 (jitter)
        verify = (config.cacert or True) if config.verify else False
        self._http = requests.Session()
        self.session = Session(auth=plugin, session=self._http, verify=verify, user_agent="vks")
        self._prefixes: dict[str, str] = {}
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, HTTPAdapter(pool_maxsize=THREADS))

    def close(self) -> None:
        self._http.close()

    async def request(
        self,
        service: Service,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        read_timeout: float | None = None,
    ) -> Answer:
        """One call. Raises CloudError for every status from 400 on and for a lost answer."""
        call = service, method, path, body, params, headers, read_timeout
        attempt, refusals = 1, 0
        while True:
            try:
                answer = await self._in_turn(*call)
            except Unavailable:
                if attempt == ATTEMPTS or method not in _REPEATABLE:
                    raise
                pause = BACKOFF * 2 ** (attempt - 1) * self._rng.uniform(0.5, 1.5)
                attempt += 1
                await asyncio.sleep(pause)
            else:
                if isinstance(answer, Answer):
                    return answer
                await self._pace.refused(answer.retry_after)
                refusals += 1
                if refusals == REFUSALS:
                    raise answer

    async def _in_turn(self, *call: Any) -> Answer | RateLimited:
        """The answer, or the cloud's refusal to take the call now. Raises CloudError."""
        async with self._pace.turn():
            try:
                answer: Answer = await self._in_thread(self._call, *call)
            except RateLimited as refusal:
                return refusal
            except Unavailable:
                raise
            except CloudError:
                self._pace.taken()
                raise
        self._pace.taken()
        return answer

    async def get(self, service: Service, path: str, name: str, model: type[T]) -> T:
        """GET one object out of its envelope `{name: …}`."""
        return unwrap(await self.request(service, "GET", path), name, model)

    async def post(
        self, service: Service, path: str, name: str, fields: Mapping[str, Any], model: type[T]
    ) -> T:
        """POST `{name: fields}`; the answer comes in the same envelope."""
        return unwrap(await self.request(service, "POST", path, body={name: fields}), name, model)

    async def delete(self, service: Service, path: str, params: Params | None = None) -> bool:
        """DELETE; False when it did not exist (any more)."""
        try:
            await self.request(service, "DELETE", path, params=params)
        except NotFound:
            return False
        return True

    async def list(
        self, service: Service, path: str, name: str, model: type[T], params: Params = ()
    ) -> list[T]:
        """GET a whole collection, following the pages."""
        pairs = list(params.items() if isinstance(params, Mapping) else params)
        items: list[T] = []
        marker: str | None = None
        while True:
            page = pairs if marker is None else [*pairs, ("marker", marker)]
            answer = await self.request(service, "GET", path, params=page)
            decoded = _decode(answer, dict[str, msgspec.Raw])
            items += _convert(decoded.get(name, msgspec.Raw(b"[]")), list[model])  # type: ignore[valid-type]
            following = _next_marker(decoded, name)
            if following is None or following == marker:
                return items
            marker = following

    async def _in_thread(self, function: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    async def authenticate(self) -> Any:
        """Get a token now; the answer is keystoneauth's AccessInfo. Raises CloudError."""
        return await self._in_thread(self._guarded, self._access)

    def _access(self) -> Any:
        return self.plugin.get_access(self.session)

    def _call(
        self,
        service: Service,
        method: str,
        path: str,
        body: Any,
        params: Params | None,
        headers: Mapping[str, str] | None,
        read_timeout: float | None,
    ) -> Answer:
        def send() -> Any:
            return self.session.request(
                self._prefix(service) + path,
                method,
                data=None if body is None else msgspec.json.encode(body),
                params=params,
                headers=self._headers(service, body is not None, headers),
                timeout=(CONNECT_TIMEOUT, read_timeout or self._read_timeout),
                raise_exc=False,
                log=False,  # it would log bodies: user data, passwords
            )

        response = self._guarded(send)
        if response.status_code >= 400:
            raise error_from(
                response.status_code, response.content, response.headers.get("Retry-After")
            )
        return Answer(response.status_code, response.content, response.headers)

    def _guarded(self, function: Any) -> Any:
        """Run a keystoneauth call; its exceptions become ours."""
        try:
            return function()
        except ksa.HttpError as error:  # only authentication raises these
            body = error.response.content if error.response is not None else b""
            raise error_from(error.http_status, body) from None
        except (ksa.AuthorizationFailure, ksa.MissingAuthPlugin, ksa.AuthPluginException) as error:
            raise Unauthorized(str(error)) from None
        except (ksa.ClientException, requests.RequestException) as error:
            raise Unavailable(f"no answer from the cloud: {error}") from None

    def _prefix(self, service: Service) -> str:
        known = self._prefixes.get(service.type)
        if known is not None:
            return known
        if service.type == "identity":
            endpoint: str | None = self.config.auth_url
        else:
            endpoint = self.session.get_endpoint(
                service_type=service.type,
                interface=self.config.interface,
                region_name=self.config.region_name,
            )
        if not endpoint:
            raise NotFound(f"the cloud's catalog has no endpoint of type {service.type!r}")
        endpoint = endpoint.rstrip("/")
        if service.version and not endpoint.endswith(f"/{service.version}"):
            endpoint += f"/{service.version}"
        self._prefixes[service.type] = endpoint
        return endpoint

    def _headers(
        self, service: Service, has_body: bool, extra: Mapping[str, str] | None
    ) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if has_body:
            headers["Content-Type"] = "application/json"
        if service.microversion:
            headers["OpenStack-API-Version"] = f"{service.type} {service.microversion}"
        return {**headers, **(extra or {})}


def unwrap(answer: Answer, name: str, model: type[T]) -> T:
    """The object in the envelope `{name: …}`."""
    decoded = _decode(answer, dict[str, msgspec.Raw])
    if name not in decoded:
        raise Unavailable(f"the cloud's answer has no {name!r}", status=answer.status)
    return _convert(decoded[name], model)


def _decode(answer: Answer, model: type[T]) -> T:
    return _convert(answer.body, model)


def _convert(raw: bytes | msgspec.Raw, model: type[T]) -> T:
    """An answer that cannot be read is a cloud that does not work (a proxy's error page)."""
    try:
        return msgspec.json.decode(raw, type=model)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"unreadable answer from the cloud: {error}") from None


def _next_marker(decoded: Mapping[str, msgspec.Raw], name: str) -> str | None:
    """The next page's marker: Nova and Neutron link it as `NAME_links`, Glance as `next`."""
    href = ""
    if links := decoded.get(f"{name}_links"):
        pages = _convert(links, list[dict[str, str]])
        href = next((page["href"] for page in pages if page.get("rel") == "next"), "")
    elif following := decoded.get("next"):
        href = _convert(following, str | None) or ""  # type: ignore[arg-type]
    values = parse_qs(urlsplit(href).query).get("marker")
    return values[0] if values else None


__all__ = ["Answer", "CloudError", "Params", "Service", "Transport", "thread_pool", "unwrap"]
