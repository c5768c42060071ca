"""The cache of one kind: frozen objects by key, and indexes over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from vks.kube.objects import Key, KubeObject

T = TypeVar("T", bound=KubeObject)

#: From an object to the index values under which it is found.
Indexer = Callable[[T], Iterable[str]]
Indexers = Mapping[str, Indexer[T]]


def by_owner_uid(obj: KubeObject) -> Iterable[str]:
    """Index by the UID of every owner."""
    return [owner.uid for owner in obj.metadata.owner_references]


def by_label(label: str) -> Callable[[KubeObject], Iterable[str]]:
    """Index by the value of a label, for example the cluster's name."""

    def index(obj: KubeObject) -> Iterable[str]:
        value = obj.metadata.labels.get(label)
        return () if value is None else (value,)

    return index


class Store(Generic[T]):
    """What the server last told us. Reading never waits; the informer writes."""

    def __init__(self) -> None:
        self._objects: dict[Key, T] = {}
        self._indexers: dict[str, Indexer[T]] = {}
        self._indexes: dict[str, dict[str, dict[Key, T]]] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: Key) -> T | None:
        """The object, or None."""
        return self._objects.get(key)

    def list(self, namespace: str | None = None) -> list[T]:
        """All objects, or those of a namespace."""
        if namespace is None:
            return [*self._objects.values()]
        return [obj for key, obj in self._objects.items() if key.namespace == namespace]

    def by_index(self, name: str, value: str) -> Sequence[T]:
        """The objects with that index value. Raises KeyError for an unknown index."""
        return [*self._indexes[name].get(value, {}).values()]

    def add_indexer(self, name: str, indexer: Indexer[T]) -> None:
        """Adds an index, over what is cached already too.

        Raises ValueError when the name stands for another function.
        """
        known = self._indexers.get(name)
        if known is indexer:
            return
        if known is not None:
            raise ValueError(f"index {name!r} exists with another function")
        self._indexers[name] = indexer
        self._indexes[name] = {}
        for key, obj in self._objects.items():
            self._index(name, key, obj)

    def put(self, obj: T) -> T | None:
        """Stores the object; returns the one that it replaces. For the informer."""
        key = obj.key
        old = self.remove(key)
        self._objects[key] = obj
        for name in self._indexers:
            self._index(name, key, obj)
        return old

    def remove(self, key: Key) -> T | None:
        """Removes the object and returns it. For the informer."""
        old = self._objects.pop(key, None)
        if old is not None:
            for name, indexer in self._indexers.items():
                index = self._indexes[name]
                for value in indexer(old):
                    entries = index[value]
                    entries.pop(key, None)
                    if not entries:
                        del index[value]
        return old

    def _index(self, name: str, key: Key, obj: T) -> None:
        index = self._indexes[name]
        for value in self._indexers[name](obj):
            index.setdefault(value, {})[key] = obj
