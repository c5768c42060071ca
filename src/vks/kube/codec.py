"""Bytes of the API server to objects: lists, single objects and watch events.

A list or a watch carries the objects of many tenants. One of them that does not decode
(`PoisonObject`) is reported and stepped over; it never hides the others.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from vks.kube.errors import error_from_status
from vks.kube.objects import KubeObject, Resource

T = TypeVar("T")


@dataclass(frozen=True)
class PoisonObject:
    """An object that is there but does not decode as its model."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    error: str
    deleted: bool = False


class Change(msgspec.Struct, Generic[T], frozen=True):
    """A watch event of an object; `type` is ADDED, MODIFIED or DELETED."""

    type: str
    object: T
    resource_version: str


class Bookmark(msgspec.Struct, frozen=True):
    """Everything up to this resource version has been sent."""

    resource_version: str


class ListPage(msgspec.Struct, Generic[T]):
    items: list[T]
    poison: list[PoisonObject]
    resource_version: str
    continue_token: str


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_token: str = msgspec.field(default="", name="continue")


class _RawList(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] = []


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class _MetaOnly(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


class _RawEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


_raw_list = msgspec.json.Decoder(_RawList)
_raw_event = msgspec.json.Decoder(_RawEvent)
_meta_only = msgspec.json.Decoder(_MetaOnly)


def resource_of(model: type[KubeObject] | Resource) -> Resource:
    """Where the model's kind lives."""
    return model if isinstance(model, Resource) else model.resource


@lru_cache(maxsize=256)
def decoder_for(model: type[KubeObject] | Resource) -> msgspec.json.Decoder[Any]:
    """The decoder of one object: a Struct for a model, a dict for a bare Resource."""
    if isinstance(model, Resource):
        return msgspec.json.Decoder(dict[str, Any])
    return msgspec.json.Decoder(model)


@lru_cache(maxsize=256)
def _list_decoder(model: type[KubeObject] | Resource) -> msgspec.json.Decoder[Any]:
    item: Any = dict[str, Any] if isinstance(model, Resource) else model
    struct = msgspec.defstruct(
        "TypedList",
        [
            ("metadata", _ListMeta, msgspec.field(default_factory=_ListMeta)),
            ("items", list[item], msgspec.field(default_factory=list)),
        ],
    )
    return msgspec.json.Decoder(struct)


def decode_list(model: type[KubeObject] | Resource, body: bytes) -> ListPage[Any]:
    """One page of a list. Raises msgspec.DecodeError when the page itself is broken."""
    with _gc_paused():
        try:
            page = _list_decoder(model).decode(body)
            return ListPage(
                page.items, [], page.metadata.resource_version, page.metadata.continue_token
            )
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _decode_list_one_by_one(model, body)


def _decode_list_one_by_one(model: type[KubeObject] | Resource, body: bytes) -> ListPage[Any]:
    page = _raw_list.decode(body)
    decoder = decoder_for(model)
    items: list[Any] = []
    poison: list[PoisonObject] = []
    for raw in page.items:
        try:
            items.append(decoder.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            poison.append(_poison(raw, str(error)))
    return ListPage(items, poison, page.metadata.resource_version, page.metadata.continue_token)


@lru_cache(maxsize=256)
def _change_decoder(model: type[KubeObject] | Resource) -> msgspec.json.Decoder[Any]:
    item: Any = dict[str, Any] if isinstance(model, Resource) else model
    fields = [("type", Literal["ADDED", "MODIFIED", "DELETED"]), ("object", item)]
    return msgspec.json.Decoder(msgspec.defstruct("TypedChange", fields))


def decode_event(
    model: type[KubeObject] | Resource, line: bytes
) -> Change[Any] | Bookmark | PoisonObject:
    """One line of a watch. Raises the ApiError of an ERROR event, and msgspec.DecodeError
    when the line is no event at all (a cut connection)."""
    try:
        change = _change_decoder(model).decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_other_event(model, line)
    return Change(change.type, change.object, resource_version_of(change.object))


def _decode_other_event(
    model: type[KubeObject] | Resource, line: bytes
) -> Change[Any] | Bookmark | PoisonObject:
    """One that is no change of an object, or of one that does not decode."""
    event = _raw_event.decode(line)
    if event.type == "ERROR":
        raise error_from_status(event.object)
    if event.type == "BOOKMARK":
        return Bookmark(_meta_only.decode(event.object).metadata.resource_version)
    try:
        body = decoder_for(model).decode(event.object)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _poison(event.object, str(error), deleted=event.type == "DELETED")
    return Change(event.type, body, resource_version_of(body))


def resource_version_of(body: KubeObject | Mapping[str, Any]) -> str:
    """The resource version of a typed or untyped object; empty when it has none."""
    if isinstance(body, KubeObject):
        return body.metadata.resource_version
    return cast(str, body.get("metadata", {}).get("resourceVersion", ""))


def _poison(raw: msgspec.Raw, error: str, *, deleted: bool = False) -> PoisonObject:
    try:
        meta = _meta_only.decode(raw).metadata
    except (msgspec.DecodeError, UnicodeDecodeError):
        meta = _Meta()
    return PoisonObject(meta.name, meta.namespace, meta.uid, meta.resource_version, error, deleted)


class LineSplitter:
    """Cuts a byte stream at `\\n` and nowhere else.

    JSON may hold U+0085, U+2028 and other characters that text splitters take for line
    ends; a tenant's annotation must not be able to cut an event in two.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes; empty lines are skipped."""
        first, *others = chunk.split(b"\n")
        if not others:
            self._parts.append(first)
            return []
        if self._parts:
            first = b"".join((*self._parts, first))
            self._parts.clear()
        if rest := others.pop():
            self._parts.append(rest)
        return [line for line in (first, *others) if line]


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Decoding a big list only makes objects: cycle collection in between is half the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
