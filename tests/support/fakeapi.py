"""An API server in memory for protocol faults: it drops, stalls, expires, repeats and refuses.

It serves `vks.runtime.reflector.ListWatcher`; whatever is not about watching belongs to the
tests on the real server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from vks.kube.client import ListResult
from vks.kube.codec import Bookmark, Change, PoisonObject
from vks.kube.errors import ApiError, Gone
from vks.kube.objects import Key, KubeObject, ObjectMeta, Resource
from vks.kube.wire import Batch


class Thing(KubeObject, frozen=True):
    resource = Resource("test.example", "v1", "Thing", "things")
    value: int = 0


class FakeApi:
    """Things with etcd's revisions and history."""

    def __init__(self) -> None:
        self.revision = 1
        self.things: dict[Key, Thing] = {}
        self.history: list[Change[Any]] = []
        self.compacted = 0
        self.list_failures: list[ApiError] = []
        self.watch_failures: list[ApiError] = []
        self.poison: list[PoisonObject] = []
        self.lists = 0
        self.watches: list[str] = []
        #: New watches first repeat so many events that their reader has seen already.
        self.repeat = 0
        self._streams: list[_Stream] = []

    def put(self, name: str, value: int = 0, namespace: str = "n", **meta: Any) -> Thing:
        """Creates or updates a Thing."""
        key = Key(namespace, name)
        old = self.things.get(key)
        self.revision += 1
        thing = Thing(
            metadata=ObjectMeta(
                name=name,
                namespace=namespace,
                uid=old.metadata.uid if old else f"uid-{self.revision}",
                resource_version=str(self.revision),
                **meta,
            ),
            value=value,
        )
        self.things[key] = thing
        self._emit(Change("MODIFIED" if old else "ADDED", thing, str(self.revision)))
        return thing

    def delete(self, name: str, namespace: str = "n") -> None:
        """Deletes a Thing, if it is there."""
        if (thing := self.things.pop(Key(namespace, name), None)) is None:
            return
        self.revision += 1
        meta = msgspec.structs.replace(thing.metadata, resource_version=str(self.revision))
        last = msgspec.structs.replace(thing, metadata=meta)
        self._emit(Change("DELETED", last, str(self.revision)))

    def send(self, event: Change[Any] | Bookmark | PoisonObject) -> None:
        """Sends something on every open watch, outside history."""
        for stream in self._streams:
            stream.queue.put_nowait(event)

    def bookmark(self) -> None:
        """Tells every open watch how far it is."""
        self.send(Bookmark(str(self.revision)))

    def cut(self, error: ApiError | None = None) -> None:
        """Ends every open watch: cleanly, or with an error in the stream."""
        for stream in self._streams:
            stream.queue.put_nowait(error or _END)

    def stall(self) -> None:
        """Open watches stay open and silent for ever."""
        for stream in self._streams:
            stream.stalled = True

    def compact(self) -> None:
        """Forgets history: older resource versions are gone."""
        self.compacted = self.revision

    @property
    def open_watches(self) -> int:
        return len(self._streams)

    async def list(
        self,
        model: Any,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int = 500,
    ) -> ListResult[Any]:
        self.lists += 1
        await asyncio.sleep(0.001)
        if self.list_failures:
            raise self.list_failures.pop(0)
        return ListResult([*self.things.values()], str(self.revision), [*self.poison])

    @asynccontextmanager
    async def watch(
        self,
        model: Any,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int = 300,
    ) -> AsyncIterator[AsyncIterator[Batch]]:
        self.watches.append(resource_version)
        await asyncio.sleep(0.001)
        if self.watch_failures:
            raise self.watch_failures.pop(0)
        since = int(resource_version)
        if since < self.compacted:
            raise Gone("too old resource version", status=410)
        stream = _Stream()
        seen = [event for event in self.history if int(event.resource_version) <= since]
        if self.repeat:
            for event in seen[-self.repeat :]:
                stream.queue.put_nowait(event)
        for event in self.history:
            if int(event.resource_version) > since:
                stream.queue.put_nowait(event)
        self._streams.append(stream)
        try:
            yield stream.batches()
        finally:
            self._streams.remove(stream)

    def _emit(self, event: Change[Any]) -> None:
        self.history.append(event)
        self.send(event)


_END = object()


class _Stream:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.stalled = False

    async def batches(self) -> AsyncIterator[Batch]:
        while True:
            event = await self.queue.get()
            if self.stalled:
                await asyncio.Event().wait()
            if event is _END:
                return
            if isinstance(event, ApiError):
                raise event
            yield [event]
