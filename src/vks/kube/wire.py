"""What client calls look like on the wire: paths, query parameters, bodies, event batches."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from vks.kube import codec
from vks.kube.codec import Bookmark, Change, PoisonObject
from vks.kube.errors import ApiError, Unavailable
from vks.kube.objects import KubeObject, Resource

#: A body to write: a plain document, or an apply configuration (see `vks.kube.apply`).
Body = Mapping[str, Any] | msgspec.Struct

#: What a watch yields: the events that arrived together.
Batch = list[Change[Any] | Bookmark | PoisonObject]

#: What needs no quoting in a path: nearly every name.
_is_plain = re.compile(r"[A-Za-z0-9._-]*").fullmatch

_PARTIAL = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


async def batches(
    model: type[KubeObject] | Resource, chunks: AsyncIterator[bytes]
) -> AsyncIterator[Batch]:
    splitter = codec.LineSplitter()
    async for chunk in chunks:
        batch: Batch = []
        failure: ApiError | None = None
        for line in splitter.feed(chunk):
            try:
                batch.append(checked(codec.decode_event, model, line))
            except ApiError as error:
                failure = error
                break
        if batch:
            yield batch
        if failure is not None:  # what came before it in the same chunk counts
            raise failure


def checked(decode: Callable[..., Any], *args: Any) -> Any:
    """Runs a decoder; a broken answer is the server's failure and may be asked for again."""
    try:
        return decode(*args)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"undecodable answer: {error}", reason="BadAnswer") from error


def document(resource: Resource, body: Body) -> dict[str, Any]:
    document = dict(msgspec.to_builtins(body) if isinstance(body, msgspec.Struct) else body)
    return document | {"apiVersion": resource.api_version, "kind": resource.kind}


def path(resource: Resource, namespace: str, name: str = "", subresource: str | None = None) -> str:
    parts = [resource.base_path]
    if namespace and resource.namespaced:
        parts += ["namespaces", _quoted(namespace)]
    parts.append(resource.plural)
    if name:
        parts.append(_quoted(name))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def _quoted(name: str) -> str:
    return name if _is_plain(name) else quote(name, safe="")


def selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    params = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in params.items() if value}


def accept(model: type[KubeObject] | Resource, suffix: str = "") -> str:
    if not isinstance(model, Resource) and model.metadata_only:
        return _PARTIAL.replace("{}", suffix)
    return "application/json"
