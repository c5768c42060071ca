"""What several controllers ask of a change."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import Key
from vks.provider.stores import infrastructure_key
from vks.resources.clusterapi import Cluster, Machine
from vks.runtime.informer import Change


def infrastructure_key_of(obj: Machine | Cluster) -> Iterable[Key]:
    """The object of ours that it refers to."""
    key = infrastructure_key(obj)
    return [] if key is None else [key]


def cluster_changed(change: Change[Cluster]) -> bool:
    """Whether something changed that infrastructure objects depend on."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (
        old.spec != new.spec
        or old.status.initialization != new.status.initialization
        or old.deleting != new.deleting
    )


def pause_changed(change: Change[Cluster]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or old.spec.paused != new.spec.paused
