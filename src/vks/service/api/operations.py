"""Operations: the record of a change, and what makes a request sent twice one change.

With an Idempotency-Key the operation's name is a hash of project, user and key: creating it is
the compare-and-swap. The change itself is made before its operation and is idempotent, so that
a request which is sent again after a lost answer, or after this process was killed in between,
finds the change made and records it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vks.kube.errors import AlreadyExists, NotFound
from vks.kube.objects import KubeObject
from vks.resources.operation import Operation, OperationType
from vks.service.api.auth import Caller
from vks.service.api.problems import Problem
from vks.service.api.regions import FIELD_MANAGER, Region
from vks.service.names import CLUSTER_LABEL, digest


@dataclass(frozen=True)
class Change:
    """A requested change: who asks, with which key, and a digest of what is asked for."""

    name: str
    digest: str
    key: str
    caller: Caller

    @classmethod
    def of(cls, caller: Caller, method: str, path: str, body: object, key: str | None) -> Change:
        if key is None:
            name = f"op-{secrets.token_hex(10)}"
        else:
            name = f"op-{digest([caller.project_id, caller.user_id, key], 20)}"
        return cls(name, digest([method, path, body], 64), key or "", caller)

    @property
    def mark(self) -> str:
        """What the change leaves on a cluster that it made."""
        return f"{self.name}:{self.digest}"


async def recorded(change: Change, region: Region, namespace: str) -> Operation | None:
    """The operation of an earlier request with the same key. Raises Problem for another one."""
    if not change.key:
        return None
    try:
        operation = await region.client.get(Operation, change.name, namespace)
    except NotFound:
        return None
    if operation.spec.request_digest != change.digest:
        raise Problem("idempotency_key_reused", "the Idempotency-Key was used for another request")
    return operation


async def recorded_somewhere(
    change: Change, regions: Sequence[Region]
) -> tuple[Region, Operation] | None:
    """The same for a deletion, whose object may be gone already. Raises Problem."""
    for region in regions if change.key else ():
        operation = await recorded(change, region, await region.namespace(change.caller))
        if operation is not None:
            return region, operation
    return None


async def record(
    change: Change,
    region: Region,
    namespace: str,
    type_: OperationType,
    cluster: str,
    target: KubeObject,
    *,
    generation: int | None = None,
    more: Mapping[str, object] | None = None,
) -> Operation:
    """Creates the operation of a change that was made; `more` is what else its spec says.
    Raises ApiError and Problem."""
    body = {
        "metadata": {
            "name": change.name,
            "namespace": namespace,
            "labels": {CLUSTER_LABEL: cluster},
        },
        "spec": {
            "type": type_,
            "clusterName": cluster,
            "target": {
                "kind": type(target).resource.kind,
                "name": target.metadata.name,
                "uid": target.metadata.uid,
                "generation": target.metadata.generation if generation is None else generation,
            },
            "requestedBy": change.caller.user_name,
            "idempotencyKey": change.key,
            "requestDigest": change.digest,
            **(more or {}),
        },
    }
    try:
        return await region.client.create(Operation, body, field_manager=FIELD_MANAGER)
    except AlreadyExists:
        found = await recorded(change, region, namespace)
        if found is None:
            raise
        return found
