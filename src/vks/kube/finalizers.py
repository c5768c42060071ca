"""Adding and removing one finalizer without touching the others."""

from __future__ import annotations

from typing import Any, TypeVar

from vks.kube.client import Client
from vks.kube.objects import KubeObject
from vks.kube.swap import swap

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
    return await swap(client, obj, [op])


async def remove_finalizer(client: Client, obj: K, finalizer: str) -> K:
    """`obj` without the finalizer; no request when it lacks it.

    Raises Conflict when the object changed since it was read: whoever decided that nothing
    is left to clean up has to look again. Raises NotFound when it is gone.
    """
    if finalizer not in obj.metadata.finalizers:
        return obj
    index = obj.metadata.finalizers.index(finalizer)
    return await swap(client, obj, [{"op": "remove", "path": f"/metadata/finalizers/{index}"}])
