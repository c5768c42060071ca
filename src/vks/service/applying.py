"""Applying manifests without writing what is there already."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from vks.kube.client import Client
from vks.kube.objects import Key, Resource
from vks.runtime.clock import Clock
from vks.runtime.store import Store
from vks.service.names import digest
from vks.service.provisioners.capi.manifest import Manifest

#: Seconds after which an object that no cache shows is applied again: somebody may have changed it,
#: or deleted it.
TRUSTED = 60.0


class _Last(NamedTuple):
    body: str
    uid: str
    generation: int
    at: float


class ManifestApplier:
    """Server-side apply as one field manager.

    Objects whose status moves all the time are reconciled all the time. A write is left out when
    this process applied the same body before and the object's generation is still the one that
    came of it: its spec has not been touched since.
    """

    def __init__(self, client: Client, field_manager: str, clock: Clock) -> None:
        self._client = client
        self._manager = field_manager
        self._clock = clock
        self._last: dict[tuple[Resource, Key], _Last] = {}

    async def apply(self, manifest: Manifest, store: Store[Any] | None = None) -> int:
        """The object's generation, which a cache may not show yet. Raises ApiError. `store` is
        the cache of the kind, where there is one."""
        key = (manifest.model.resource, manifest.key)
        body = digest(manifest.body, 32)
        observed = None if store is None else store.get(manifest.key)
        last, now = self._last.get(key), self._clock.monotonic()
        if last is not None and last.body == body:
            if store is None and now - last.at < TRUSTED:
                return last.generation
            meta = None if observed is None else observed.metadata
            if meta is not None and (meta.uid, meta.generation) == (last.uid, last.generation):
                return last.generation
        answer = await self._client.apply(
            manifest.model, manifest.body, field_manager=self._manager
        )
        self._last[key] = _Last(body, answer.metadata.uid, answer.metadata.generation, now)
        return answer.metadata.generation


def plain(struct: msgspec.Struct) -> dict[str, Any]:
    """The Struct as a body: fields that are None are left out, the CRDs know no null."""
    body: dict[str, Any] = _without_none(msgspec.to_builtins(struct))
    return body


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
