"""A cache that stays up to date, and tells of every change."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from random import Random
from typing import Generic, TypeVar

import msgspec
import structlog

from vks.kube import codec
from vks.kube.client import ListResult
from vks.kube.codec import PoisonObject
from vks.kube.errors import ApiError
from vks.kube.objects import Key, KubeObject, Resource
from vks.kube.selectors import EVERYTHING, Selection
from vks.kube.writes import Write
from vks.runtime.reflector import ListWatcher, Reflector
from vks.runtime.store import Store

T = TypeVar("T", bound=KubeObject)

log = structlog.get_logger(__name__)


class Change(msgspec.Struct, Generic[T], frozen=True):
    """What happened to an object: `old` is None when it is new to us, `new` when it is gone.
    `initial` marks objects of the first list."""

    old: T | None
    new: T | None
    initial: bool = False

    @property
    def object(self) -> T:
        """The object as it is, or as it was last."""
        obj = self.new if self.new is not None else self.old
        assert obj is not None  # noqa: S101 - a change without any object is never made
        return obj

    @property
    def key(self) -> Key:
        return self.object.key


Handler = Callable[[Change[T]], None]
PoisonHandler = Callable[[Resource, PoisonObject], None]


class Informer(Generic[T]):
    """The cache of one kind, or of a part of it, on one API server."""

    def __init__(
        self,
        source: ListWatcher,
        model: type[T],
        selection: Selection = EVERYTHING,
        *,
        rng: Random,
        on_poison: PoisonHandler | None = None,
        on_health: Callable[[], None] | None = None,
    ) -> None:
        """`on_health` is called when `synced` or `error` change."""
        self.source = source
        self.model = model
        self.selection = selection
        self.store: Store[T] = Store()
        self._reflector = Reflector(source, model, selection, self, rng=rng)
        self._on_poison = on_poison
        self._on_health = on_health
        self._handlers: list[Handler[T]] = []
        self._synced = asyncio.Event()
        self._version = ""
        self._order = itertools.count()
        self._unseen: list[tuple[int, int, Callable[[], None]]] = []  # (version, order, told)
        self._unseen_removals: dict[Key, list[Callable[[], None]]] = {}

    @property
    def synced(self) -> bool:
        """Whether the first list has arrived."""
        return self._synced.is_set()

    @property
    def error(self) -> ApiError | None:
        """Why the cache may be behind; None while the watch works."""
        return self._reflector.error

    async def wait_synced(self) -> None:
        """Returns once the first list has arrived."""
        await self._synced.wait()

    def add_handler(self, handler: Handler[T]) -> None:
        """Calls `handler` with every change, at once with what is cached already. It must
        not wait; what it raises is logged and does not stop the others."""
        self._handlers.append(handler)
        for obj in self.store.list():
            self._call(handler, Change(None, obj, initial=True))

    def switch(self, source: ListWatcher) -> None:
        """Follows another source from the next `run` on; the cache stays until it has been
        compared with a new list."""
        self.source = source
        self._reflector.switch(source)

    async def run(self) -> None:
        """Keeps the cache up to date until cancelled."""
        await self._reflector.run()

    def has_seen(self, write: Write) -> bool:
        """Whether the cache reflects the write, or never will because it lies outside."""
        if not self.selection.may_contain(write.key, write.labels):
            return True
        if write.resource_version:
            if not write.resource_version.isdigit():
                return True  # not comparable: nothing to wait for
            return self._version.isdigit() and int(self._version) >= int(write.resource_version)
        cached = self.store.get(write.key)
        return cached is None or cached.metadata.uid != write.uid

    def when_seen(self, write: Write, tell: Callable[[], None]) -> None:
        """Calls `tell` once the cache reflects the write: at once if it does already. It must not
        raise."""
        if self.has_seen(write):
            tell()
        elif write.resource_version:
            entry = (int(write.resource_version), next(self._order), tell)
            heapq.heappush(self._unseen, entry)
        else:
            self._unseen_removals.setdefault(write.key, []).append(tell)

    # --- the reflector's sink --------------------------------------------------------------

    def replace(self, listed: ListResult[T]) -> None:
        """Takes a full list; what is no longer there is deleted."""
        initial = not self.synced
        present = {obj.key for obj in listed.items}
        # What does not decode exists all the same: keep what we knew of it.
        present.update(Key(found.namespace, found.name) for found in listed.poison)
        for known in self.store.list():
            if known.key not in present:
                self._removed(known.key)
        for obj in listed.items:
            cached = self.store.get(obj.key)
            if cached is None or _version(cached) != _version(obj):
                self._stored(obj, initial=initial)
        self._synced.set()
        if initial:
            self.health(None)

    def apply(self, change: codec.Change[T]) -> None:
        """Takes one event of the watch."""
        if change.type == "DELETED":
            self._removed(change.object.key, change.object)
        else:
            self._stored(change.object)

    def poison(self, found: PoisonObject) -> None:
        """Reports an object that does not decode; its deletion is still believed."""
        log.error(
            "object does not decode",
            kind=self.model.resource.kind,
            namespace=found.namespace,
            name=found.name,
            error=found.error,
        )
        if self._on_poison is not None:
            self._on_poison(self.model.resource, found)
        if found.deleted:
            self._removed(Key(found.namespace, found.name))

    def progress(self, resource_version: str) -> None:
        """Everything up to that version is in the store."""
        self._version = resource_version
        if self._unseen and resource_version.isdigit():
            reached = int(resource_version)
            while self._unseen and self._unseen[0][0] <= reached:
                heapq.heappop(self._unseen)[2]()

    def health(self, error: ApiError | None) -> None:
        """Passes on that the watch broke or works again."""
        if self._on_health is not None:
            self._on_health()

    def _stored(self, obj: T, *, initial: bool = False) -> None:
        known = self.store.get(obj.key)
        if known is not None and known.metadata.uid != obj.metadata.uid:
            self._removed(obj.key)  # deleted and made anew while we did not look
        self._tell(Change(self.store.put(obj), obj, initial))

    def _removed(self, key: Key, last_state: T | None = None) -> None:
        if (old := self.store.remove(key)) is not None:
            self._tell(Change(last_state or old, None))
        for tell in self._unseen_removals.pop(key, ()):
            tell()

    def _tell(self, change: Change[T]) -> None:
        for handler in self._handlers:
            self._call(handler, change)

    def _call(self, handler: Handler[T], change: Change[T]) -> None:
        try:
            handler(change)
        except Exception:
            # One tenant's object must not end the watch of all the others.
            log.exception(
                "event handler failed", kind=self.model.resource.kind, key=str(change.key)
            )


def _version(obj: KubeObject) -> tuple[str, str]:
    return obj.metadata.uid, obj.metadata.resource_version
