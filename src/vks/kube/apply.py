"""Server-side apply without its two traps: lost zeros and endless no-op writes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple, TypeVar

import msgspec

from vks.kube.client import Client
from vks.kube.codec import resource_of
from vks.kube.objects import KubeObject, Resource
from vks.kube.wire import Body

K = TypeVar("K", bound=KubeObject)

_REMEMBERED = 20_000


class _ApplyConfigMeta(msgspec.StructMeta):
    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
        options.setdefault("kw_only", True)  # msgspec does not inherit it
        cls: Any = super().__new__(mcls, name, bases, namespace, **options)
        if cls.__struct_config__.omit_defaults:
            raise TypeError(f"{name}: omit_defaults releases fields set to their default")
        for default in cls.__struct_defaults__:
            if default is not msgspec.UNSET and default is not msgspec.NODEFAULT:
                raise TypeError(f"{name}: a field's default must be UNSET, not {default!r}")
        return cls


class ApplyConfig(
    msgspec.Struct,
    metaclass=_ApplyConfigMeta,
    frozen=True,
    kw_only=True,
    gc=False,
    rename="camel",
):
    """Base of apply configurations: bodies that say which fields a manager owns.

    An optional field defaults to `msgspec.UNSET`, never to a value, and `omit_defaults` is
    refused (TypeError when the class is made): an explicit `replicas=0` would be left out,
    and under server-side apply leaving a field out gives up its ownership.
    """


class _Last(NamedTuple):
    """A write, and what it answered with: the version, and the part that was written."""

    body: bytes
    resource_version: str
    part: object


class Applier:
    """Applies as one field manager and leaves out writes that cannot change anything.

    A write is left out when its body is the one that this process applied last and the
    observed object is still as that write left it: at that version or, for a subresource, with
    the same content in that part, whatever others did to the rest. Anything else is sent; the
    server itself ignores what changes nothing.
    """

    def __init__(self, client: Client, field_manager: str) -> None:
        self.client = client
        self.field_manager = field_manager
        self._last: OrderedDict[tuple[Resource, str, str, str], _Last] = OrderedDict()

    async def apply(
        self,
        model: type[K],
        body: Body,
        *,
        observed: K | None = None,
        subresource: str | None = None,
    ) -> K | None:
        """The written object, or None when the write was left out. Raises ApiError."""
        document = msgspec.to_builtins(body)
        meta = document["metadata"]
        key = (resource_of(model), meta.get("namespace", ""), meta["name"], subresource or "")
        encoded = msgspec.json.encode(document, order="sorted")
        last = self._last.get(key)
        if observed is not None and last is not None and last.body == encoded:
            if observed.metadata.resource_version == last.resource_version:
                return None
            if last.part is not None and _part(observed, subresource) == last.part:
                return None
        answer = await self.client.apply(
            model, document, field_manager=self.field_manager, subresource=subresource
        )
        version = answer.metadata.resource_version
        self._last[key] = _Last(encoded, version, _part(answer, subresource))
        self._last.move_to_end(key)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return answer


def _part(obj: KubeObject, subresource: str | None) -> object:
    """What the model knows of a subresource that is a part of the object; None for the others."""
    return getattr(obj, subresource, None) if subresource else None
