"""The client of one API server: typed reads, server-side apply and patches.

`model` is a KubeObject class (typed, frozen answers) or a bare `Resource` (dict answers).
There is no update by PUT, on purpose: models declare only the fields that somebody reads, so
writing one back whole would erase the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, overload

import msgspec

from vks.kube import codec, wire
from vks.kube.codec import PoisonObject, resource_of
from vks.kube.config import ClientConfig
from vks.kube.errors import NotFound
from vks.kube.objects import Key, KubeObject, Resource
from vks.kube.transport import Request, RequestObserver, Transport
from vks.kube.wire import Batch, Body
from vks.kube.writes import note_removal, note_write

T = TypeVar("T")
K = TypeVar("K", bound=KubeObject)
Untyped = dict[str, Any]

APPLY = "application/apply-patch+yaml"  # JSON is YAML; every server version takes this name
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class ListResult(Generic[T]):
    """All pages of a list; `poison` are the objects that did not decode."""

    items: list[T]
    resource_version: str
    poison: list[PoisonObject]


class Client:
    """Talks to one API server. Use `async with`, or close it."""

    def __init__(
        self, config: ClientConfig, *, user_agent: str = "vks", timeout: float = 30.0
    ) -> None:
        """`timeout` in seconds bounds every call but watches, and to connect for it."""
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
        path = wire.path(resource_of(model), namespace, name)
        return self._decode(model, await self._send("GET", path, accept=wire.accept(model)))

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
        path = wire.path(resource_of(model), namespace or "")
        params = wire.selectors(label_selector, field_selector) | {"limit": str(limit)}
        items: list[Any] = []
        poison: list[PoisonObject] = []
        while True:
            body = await self._send("GET", path, params, accept=wire.accept(model, "List"))
            page = wire.checked(codec.decode_list, model, body)
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
        params = wire.selectors(label_selector, field_selector) | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        path = wire.path(resource_of(model), namespace or "")
        request = Request("GET", path, params, accept=wire.accept(model))
        async with self._transport.stream(request) as chunks:
            yield wire.batches(model, chunks)

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
        document = wire.document(resource, body)
        path = wire.path(resource, document["metadata"].get("namespace", ""))
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
        document = wire.document(resource, body)
        meta = document["metadata"]
        path = wire.path(resource, meta.get("namespace", ""), meta["name"], subresource)
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
        path = wire.path(resource_of(model), namespace, name, subresource)
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
        path = wire.path(resource_of(model), namespace, name, subresource)
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
        path = wire.path(resource, namespace, name)
        try:
            body = await self._send("DELETE", path, body=msgspec.json.encode(options))
        except NotFound:
            return False
        answer = wire.checked(msgspec.json.decode, body)
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
        request = Request(method, path, params, encoded, content_type, wire.accept(model))
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
        return wire.checked(codec.decoder_for(model).decode, body)
