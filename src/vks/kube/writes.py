"""What the current task has written, so that its caller can wait for the cache to see it.

`vks.runtime` opens a record around every reconcile (read-your-writes); without one, writes
are not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, NamedTuple

from vks.kube.objects import Key, KubeObject, Resource


class Write(NamedTuple):
    """A write that the server has confirmed. `resource_version` is empty when it took the object
    away at once: a delete, or the last finalizer of what is being deleted."""

    client: object
    resource: Resource
    key: Key
    uid: str
    resource_version: str
    labels: Mapping[str, str]


_record: ContextVar[list[Write] | None] = ContextVar("kube_writes", default=None)


class WriteRecord:
    """`with WriteRecord() as writes:` collects the confirmed writes of this task and the tasks
    that it starts."""

    def __init__(self) -> None:
        self._token: Token[list[Write] | None] | None = None

    def __enter__(self) -> list[Write]:
        writes: list[Write] = []
        self._token = _record.set(writes)
        return writes

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _record.reset(self._token)


def note_write(client: object, resource: Resource, body: KubeObject | Mapping[str, Any]) -> None:
    """Adds the server's answer to a write to the open record, if any."""
    if (record := _record.get()) is None:
        return
    if isinstance(body, KubeObject):
        meta = body.metadata
        gone = meta.deletion_timestamp is not None and not meta.finalizers
        version = "" if gone else meta.resource_version
        write = Write(client, resource, body.key, meta.uid, version, meta.labels)
    else:
        raw = body.get("metadata", {})
        key = Key(raw.get("namespace", ""), raw.get("name", ""))
        gone = "deletionTimestamp" in raw and not raw.get("finalizers")
        write = Write(
            client,
            resource,
            key,
            raw.get("uid", ""),
            "" if gone else raw.get("resourceVersion", ""),
            raw.get("labels", {}),
        )
    record.append(write)


def note_removal(client: object, resource: Resource, key: Key, uid: str) -> None:
    """Adds a delete that took the object away at once."""
    if (record := _record.get()) is not None and uid:
        record.append(Write(client, resource, key, uid, "", {}))
