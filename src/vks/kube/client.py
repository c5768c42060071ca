"""The client of one API server: typed reads, server-side apply and patches.

`model` is a KubeObject class (typed, frozen answers) or a bare `Resource` (dict answers).
There is no update by PUT, on purpose: models declare only the fields that somebody reads, so
writing one back whole would erase the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, overload
from urllib.parse import quote

import msgspec

from vks.kube import codec
from vks.kube.codec import Bookmark, Change, PoisonObject, resource_of
from vks.kube.config import ClientConfig
from vks.kube.errors import ApiError, NotFound, Unavailable
from vks.kube.objects import Key, KubeObject, Resource
from vks.kube.transport import Request, RequestObserver, Transport
from vks.kube.writes import note_removal, note_write

T = TypeVar("T")
K = TypeVar("K", bound=KubeObject)
Body = Mapping[str, Any] | msgspec.Struct
Untyped = dict[str, Any]

APPLY = "application/apply-patch+yaml"  # JSON is YAML; every server version takes this name
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

_PARTIAL = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


@dataclass(frozen=True)
class ListResult(Generic[T]):
    """All pages of a list; `poison` are the objects that did not decode."""

    items: list[T]
    resource_version: str
    poison: list[PoisonObject]


#: What a watch yields: the events that arrived together.
Batch = list[Change[Any] | Bookmark | PoisonObject]


class Client:
    """Talks to one API server. Use `async with`, or close it."""

    def __init__(
        self, config: ClientConfig, *, user_agent: str = "vks", timeout: float = 30.0
    ) -> None:
        """`timeout` in seconds bounds every call except watches."""
        self.config = config
        self._transport = Transport(config, user_agent=user_agent, timeout=timeout)

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
        """Closes the connections."""
        await self._transport.close()

    def observe_requests(self, observer: RequestObserver | None) -> None:
        """Reports every request from now on (metrics)."""
        self._transport.observer = observer

    # --- reading ---------------------------------------------------------------------------

    @overload
    async def get(self, model: type[K], name: str, namespace: str = "") -> K: ...
    @overload
    async def get(self, model: Resource, name: str, namespace: str = "") -> Untyped: ...
    async def get(self, model: type[KubeObject] | Resource, name: str, namespace: str = "") -> Any:
        """The object. Raises NotFound and the other ApiErrors."""
        path = _path(resource_of(model), namespace, name)
        return self._decode(model, await self._send("GET", path, accept=_accept(model)))

    @overload
    async def list(
        self,
        model: type[K],
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int = 500,
    ) -> ListResult[K]: ...
    @overload
    async def list(
        self,
        model: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int = 500,
    ) -> ListResult[Untyped]: ...
    async def list(
        self,
        model: type[KubeObject] | Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int = 500,
    ) -> ListResult[Any]:
        """Every object (of all namespaces when `namespace` is None), read in pages.

        Raises Gone when the pages took longer than the server keeps history.
        """
        path = _path(resource_of(model), namespace or "")
        params = _selectors(label_selector, field_selector) | {"limit": str(limit)}
        items: list[Any] = []
        poison: list[PoisonObject] = []
        while True:
            body = await self._send("GET", path, params, accept=_accept(model, "List"))
            page = _checked(codec.decode_list, model, body)
            items += page.items
            poison += page.poison
            if not page.continue_token:
                return ListResult(items, page.resource_version, poison)
            params["continue"] = page.continue_token

    @asynccontextmanager
    async def watch(
        self,
        model: type[KubeObject] | Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int = 300,
    ) -> AsyncIterator[AsyncIterator[Batch]]:
        """Changes after `resource_version`, until the server ends it (`timeout_seconds`).

        Raises ApiError on entry and while iterating: Gone when history is too short. A silent
        connection never ends by itself; the caller keeps a watchdog (bookmarks come about
        once a minute).
        """
        params = _selectors(label_selector, field_selector) | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        path = _path(resource_of(model), namespace or "")
        request = Request("GET", path, params, accept=_accept(model))
        async with self._transport.stream(request) as chunks:
            yield _batches(model, chunks)

    # --- writing ---------------------------------------------------------------------------

    @overload
    async def create(self, model: type[K], body: Body, *, field_manager: str = "") -> K: ...
    @overload
    async def create(self, model: Resource, body: Body, *, field_manager: str = "") -> Untyped: ...
    async def create(
        self, model: type[KubeObject] | Resource, body: Body, *, field_manager: str = ""
    ) -> Any:
        """Creates the object of that body. Raises AlreadyExists, Invalid, …"""
        resource = resource_of(model)
        document = _document(resource, body)
        path = _path(resource, document["metadata"].get("namespace", ""))
        params = {"fieldManager": field_manager} if field_manager else {}
        return await self._write("POST", model, path, params, document, "application/json")

    @overload
    async def apply(
        self,
        model: type[K],
        body: Body,
        *,
        field_manager: str,
        force: bool = True,
        subresource: str | None = None,
    ) -> K: ...
    @overload
    async def apply(
        self,
        model: Resource,
        body: Body,
        *,
        field_manager: str,
        force: bool = True,
        subresource: str | None = None,
    ) -> Untyped: ...
    async def apply(
        self,
        model: type[KubeObject] | Resource,
        body: Body,
        *,
        field_manager: str,
        force: bool = True,
        subresource: str | None = None,
    ) -> Any:
        """Server-side apply: `body` is all that this field manager wants to own.

        Raises Conflict when `force` is False and another manager owns a field, or when the
        body carries a uid or resourceVersion that is no longer the object's.
        """
        resource = resource_of(model)
        document = _document(resource, body)
        meta = document["metadata"]
        path = _path(resource, meta.get("namespace", ""), meta["name"], subresource)
        params = {"fieldManager": field_manager, "force": "true" if force else "false"}
        return await self._write("PATCH", model, path, params, document, APPLY)

    @overload
    async def json_patch(
        self,
        model: type[K],
        name: str,
        namespace: str,
        ops: Sequence[Mapping[str, Any]],
        *,
        subresource: str | None = None,
        field_manager: str = "",
    ) -> K: ...
    @overload
    async def json_patch(
        self,
        model: Resource,
        name: str,
        namespace: str,
        ops: Sequence[Mapping[str, Any]],
        *,
        subresource: str | None = None,
        field_manager: str = "",
    ) -> Untyped: ...
    async def json_patch(
        self,
        model: type[KubeObject] | Resource,
        name: str,
        namespace: str,
        ops: Sequence[Mapping[str, Any]],
        *,
        subresource: str | None = None,
        field_manager: str = "",
    ) -> Any:
        """RFC 6902. Raises Invalid when a `test` fails or a path is not there."""
        path = _path(resource_of(model), namespace, name, subresource)
        params = {"fieldManager": field_manager} if field_manager else {}
        return await self._write("PATCH", model, path, params, ops, JSON_PATCH)

    @overload
    async def merge_patch(
        self,
        model: type[K],
        name: str,
        namespace: str,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
        field_manager: str = "",
    ) -> K: ...
    @overload
    async def merge_patch(
        self,
        model: Resource,
        name: str,
        namespace: str,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
        field_manager: str = "",
    ) -> Untyped: ...
    async def merge_patch(
        self,
        model: type[KubeObject] | Resource,
        name: str,
        namespace: str,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
        field_manager: str = "",
    ) -> Any:
        """RFC 7386. A `metadata.resourceVersion` in it makes it a compare-and-swap: Conflict."""
        path = _path(resource_of(model), namespace, name, subresource)
        params = {"fieldManager": field_manager} if field_manager else {}
        return await self._write("PATCH", model, path, params, patch, MERGE_PATCH)

    async def delete(
        self,
        model: type[KubeObject] | Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation_policy: str | None = None,
    ) -> bool:
        """Asks for the object's deletion; finalizers may keep it. False when it was gone.

        Raises Conflict when `uid` or `resource_version` is given and no longer the object's.
        """
        resource = resource_of(model)
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if propagation_policy:
            options["propagationPolicy"] = propagation_policy
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        if given := {k: v for k, v in preconditions.items() if v is not None}:
            options["preconditions"] = given
        path = _path(resource, namespace, name)
        try:
            body = await self._send("DELETE", path, body=msgspec.json.encode(options))
        except NotFound:
            return False
        answer = _checked(msgspec.json.decode, body)
        if answer.get("kind") == "Status":
            removed = (answer.get("details") or {}).get("uid", "")
            note_removal(self, resource, Key(namespace, name), removed)
        elif answer["metadata"].get("deletionTimestamp"):
            note_write(self, resource, answer)
        else:  # without finalizers some kinds answer with the object as it was
            note_removal(self, resource, Key(namespace, name), answer["metadata"]["uid"])
        return True

    async def raw(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """Any other endpoint (discovery, token requests, subresources). Raises ApiError."""
        request = Request(method, path, params or {}, body, content_type, accept)
        return await self._transport.send(request)

    # --- inside ----------------------------------------------------------------------------

    async def _write(
        self,
        method: str,
        model: type[KubeObject] | Resource,
        path: str,
        params: Mapping[str, str],
        document: Any,
        content_type: str,
    ) -> Any:
        encoded = msgspec.json.encode(document)
        request = Request(method, path, params, encoded, content_type, _accept(model))
        answer = self._decode(model, await self._transport.send(request))
        note_write(self, resource_of(model), answer)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        accept: str = "application/json",
    ) -> bytes:
        return await self._transport.send(Request(method, path, params or {}, body, accept=accept))

    @staticmethod
    def _decode(model: type[KubeObject] | Resource, body: bytes) -> Any:
        return _checked(codec.decoder_for(model).decode, body)


async def _batches(
    model: type[KubeObject] | Resource, chunks: AsyncIterator[bytes]
) -> AsyncIterator[Batch]:
    splitter = codec.LineSplitter()
    async for chunk in chunks:
        batch: Batch = []
        failure: ApiError | None = None
        for line in splitter.feed(chunk):
            try:
                batch.append(_checked(codec.decode_event, model, line))
            except ApiError as error:
                failure = error
                break
        if batch:
            yield batch
        if failure is not None:  # what came before it in the same chunk counts
            raise failure


def _checked(decode: Callable[..., Any], *args: Any) -> Any:
    """Runs a decoder; a broken answer is the server's failure and may be asked for again."""
    try:
        return decode(*args)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"undecodable answer: {error}", reason="BadAnswer") from error


def _document(resource: Resource, body: Body) -> dict[str, Any]:
    document = dict(msgspec.to_builtins(body) if isinstance(body, msgspec.Struct) else body)
    return document | {"apiVersion": resource.api_version, "kind": resource.kind}


def _path(
    resource: Resource, namespace: str, name: str = "", subresource: str | None = None
) -> str:
    parts = [resource.base_path]
    if namespace and resource.namespaced:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(resource.plural)
    if name:
        parts.append(quote(name, safe=""))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def _selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    params = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in params.items() if value}


def _accept(model: type[KubeObject] | Resource, suffix: str = "") -> str:
    if not isinstance(model, Resource) and model.metadata_only:
        return _PARTIAL.replace("{}", suffix)
    return "application/json"
