"""Which objects concern a controller, and which of its keys they concern."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from vks.kube.client import Client
from vks.kube.objects import Key, KubeObject
from vks.kube.selectors import Selection
from vks.runtime.informer import Change

T = TypeVar("T", bound=KubeObject)

#: Adds a key to a controller's queue, with a priority.
Enqueue = Callable[[Key, int], None]
KeyMapper = Callable[[T], Iterable[Key]]
Predicate = Callable[[Change[T]], bool]


def own_key(obj: KubeObject) -> Iterable[Key]:
    """The object's own key: for the kind that a controller is about."""
    return (obj.key,)


def owner_keys(kind: str, group: str | None = None) -> Callable[[KubeObject], Iterable[Key]]:
    """The keys of the owners of that kind, in the object's namespace."""

    def keys(obj: KubeObject) -> Iterable[Key]:
        return [
            Key(obj.metadata.namespace, owner.name)
            for owner in obj.metadata.owner_references
            if owner.kind == kind and (group is None or owner.api_version.startswith(f"{group}/"))
        ]

    return keys


def generation_changed(change: Change[Any]) -> bool:
    """True unless only status or metadata changed; finalizers and deletion count as change."""
    if change.old is None or change.new is None:
        return True
    old, new = change.old.metadata, change.new.metadata
    return (old.generation, old.deletion_timestamp, old.finalizers, old.labels) != (
        new.generation,
        new.deletion_timestamp,
        new.finalizers,
        new.labels,
    )


@dataclass(frozen=True)
class Watch(Generic[T]):
    """Changes of a kind, or of the part that the selectors leave, as keys of a controller.

    `map_to_keys` is asked for the old and the new object. `pressing` are changes after which a
    key goes before others. Without `client` it is the manager's API server.
    """

    model: type[T]
    map_to_keys: KeyMapper[T] = own_key
    predicate: Predicate[T] | None = None
    pressing: Predicate[T] = field(default=lambda _: False, kw_only=True)
    namespace: str | None = field(default=None, kw_only=True)
    label_selector: str | None = field(default=None, kw_only=True)
    field_selector: str | None = field(default=None, kw_only=True)
    client: Client | None = field(default=None, kw_only=True)

    @property
    def selection(self) -> Selection:
        return Selection(self.namespace, self.label_selector, self.field_selector)

    def keys(self, change: Change[T]) -> set[Key]:
        """The keys that the change concerns."""
        if self.predicate is not None and not self.predicate(change):
            return set()
        old, new = change.old, change.new
        if old is None or new is None:
            return {*self.map_to_keys(change.object)}
        return {*self.map_to_keys(old), *self.map_to_keys(new)}


class Source(Protocol):
    """Where keys come from besides watches: cloud events, other clusters, timers."""

    def bind(self, enqueue: Enqueue) -> None:
        """Called once, before the controller starts."""
        ...
