"""Adding and removing one finalizer without touching the others."""

from __future__ import annotations

from typing import Any, TypeVar

from vks.kube.client import Client
from vks.kube.errors import Conflict, Invalid
from vks.kube.objects import KubeObject

K = TypeVar("K", bound=KubeObject)


async def add_finalizer(client: Client, obj: K, finalizer: str) -> K:
    """`obj` with the finalizer; no request when it has it.

    Raises Conflict when the object is no longer the one that was read.
    """
    present = obj.metadata.finalizers
    if finalizer in present:
        return obj
    op: dict[str, Any]
    if present:
        op = {"op": "add", "path": "/metadata/finalizers/-", "value": finalizer}
    else:
        op = {"op": "add", "path": "/metadata/finalizers", "value": [finalizer]}
    return await _patch(client, obj, op)


async def remove_finalizer(client: Client, obj: K, finalizer: str) -> K:
    """`obj` without the finalizer; no request when it lacks it.

    Raises Conflict when the object changed since it was read: whoever decided that nothing
    is left to clean up has to look again. Raises NotFound when it is gone.
    """
    if finalizer not in obj.metadata.finalizers:
        return obj
    index = obj.metadata.finalizers.index(finalizer)
    return await _patch(client, obj, {"op": "remove", "path": f"/metadata/finalizers/{index}"})


async def _patch(client: Client, obj: K, op: dict[str, Any]) -> K:
    meta = obj.metadata
    ops = [
        {"op": "test", "path": "/metadata/uid", "value": meta.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": meta.resource_version},
        op,
    ]
    try:
        return await client.json_patch(type(obj), meta.name, meta.namespace, ops)
    except Invalid as error:
        # The server names a failed `test` no further than 422 without causes.
        if error.causes:
            raise
        raise Conflict(f"{obj.key} changed since it was read", status=409) from error
