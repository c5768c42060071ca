"""Compare-and-swap on one object: a JSON patch that holds only while its tests do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from vks.kube.client import Client
from vks.kube.errors import Conflict, Invalid
from vks.kube.objects import KubeObject

K = TypeVar("K", bound=KubeObject)

Op = Mapping[str, Any]


async def swap(client: Client, obj: K, ops: Iterable[Op], *, tests: Iterable[Op] = ()) -> K:
    """The object after `ops`, which are done all or not at all.

    Without `tests` they are done only to the very version that was read. Raises Conflict when
    the object is another one by now, or a test fails; NotFound when it is gone.
    """
    meta = obj.metadata
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": meta.resource_version}
    same = {"op": "test", "path": "/metadata/uid", "value": meta.uid}
    guarded = [same, *(tests or (version,)), *ops]
    try:
        return await client.json_patch(type(obj), meta.name, meta.namespace, guarded)
    except Invalid as error:
        # The server names a failed `test` no further than 422 without causes.
        if error.causes:
            raise
        raise Conflict(f"{obj.key} changed since it was read", status=409) from error
