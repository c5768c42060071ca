"""The part of the management cluster that a provider process looks at."""

from __future__ import annotations

from typing import TypeVar

from vks.kube.objects import KubeObject
from vks.provider.options import Options
from vks.resources.contract import WATCH_FILTER_LABEL
from vks.runtime.informer import Informer
from vks.runtime.manager import Manager
from vks.runtime.store import Indexers
from vks.runtime.watches import Watch

T = TypeVar("T", bound=KubeObject)


class Scope:
    """Informers and watches of one namespace, or of all, and of what the watch filter leaves."""

    def __init__(self, manager: Manager, options: Options) -> None:
        self._manager = manager
        self.namespace = options.namespace
        self.selector = (
            f"{WATCH_FILTER_LABEL}={options.watch_filter}" if options.watch_filter else None
        )

    def informer(self, model: type[T], indexers: Indexers[T] | None = None) -> Informer[T]:
        return self._manager.informer(
            model, namespace=self.namespace, label_selector=self.selector, indexers=indexers
        )

    def watch(self, model: type[T], *args: object) -> Watch[T]:
        return Watch(
            model,
            *args,  # type: ignore[arg-type]
            namespace=self.namespace,
            label_selector=self.selector,
        )
