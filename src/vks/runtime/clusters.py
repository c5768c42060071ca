"""Watches of other clusters that come, go, and cannot be reached for a while.

Each cluster is followed on its own: one that does not answer backs off alone and never holds
up the manager or another cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.errors import ApiError
from vks.kube.objects import Key, KubeObject
from vks.kube.selectors import Selection
from vks.runtime.informer import Change, Informer
from vks.runtime.queue import LOW_PRIORITY, NORMAL_PRIORITY
from vks.runtime.store import Indexers, Store
from vks.runtime.watches import Enqueue, Source

if TYPE_CHECKING:
    from vks.runtime.manager import Manager

T = TypeVar("T", bound=KubeObject)
ClusterMapper = Callable[[Key, T], Iterable[Key]]


class RemoteCluster:
    """One followed cluster: its client and caches, and whether they can be trusted."""

    def __init__(self, key: Key, client: Client, informers: dict[type, Informer[Any]]) -> None:
        self.key = key
        self.client = client
        self.informers = informers

    def store(self, model: type[T]) -> Store[T]:
        """The cache of a kind; empty until it is synced. Raises KeyError for a kind that the
        set does not follow."""
        return cast(Store[T], self.informers[model].store)

    def synced(self, model: type[KubeObject]) -> bool:
        """Whether the cache has been filled once. It outlives connections."""
        return self.informers[model].synced

    @property
    def error(self) -> ApiError | None:
        """Why caches may be behind, None while all watches work."""
        errors = (informer.error for informer in self.informers.values())
        return next((error for error in errors if error is not None), None)

    @property
    def reachable(self) -> bool:
        """Whether all caches are filled and all watches work."""
        return self.error is None and all(i.synced for i in self.informers.values())


class _Followed:
    """A cluster and the task that follows it."""

    def __init__(self, remote: RemoteCluster, kubeconfig: bytes) -> None:
        self.remote = remote
        self.kubeconfig = kubeconfig
        self.task: asyncio.Task[None] | None = None


class ClusterSet:
    """Follows parts of some kinds on any number of clusters. Add it to the manager."""

    def __init__(
        self,
        manager: Manager,
        kinds: Mapping[type[KubeObject], Selection],
        *,
        indexers: Mapping[type[KubeObject], Indexers[Any]] | None = None,
        user_agent: str = "vks",
    ) -> None:
        """`indexers` are those of each cluster's stores, by kind."""
        self._manager = manager
        self._kinds = dict(kinds)
        self._indexers = dict(indexers or {})
        self._user_agent = user_agent
        self._followed: dict[Key, _Followed] = {}
        self._subscribers: list[tuple[type[KubeObject], ClusterMapper[Any], Enqueue]] = []
        self._state_subscribers: list[Enqueue] = []
        self._tasks: asyncio.TaskGroup | None = None

    def connect(self, kubeconfig: bytes) -> Client:
        """A client such as clusters are followed with. Raises KubeconfigError."""
        config = ClientConfig.from_kubeconfig(kubeconfig)
        return Client(config, user_agent=self._user_agent, timeout=15.0)

    def set(self, cluster: Key, kubeconfig: bytes, client: Client | None = None) -> RemoteCluster:
        """Follows the cluster with these credentials; nothing happens when it does already.
        `client` is one that has them, if there is one; it belongs to the set then.

        Other credentials for a followed cluster replace its connections and keep its caches.
        Raises KubeconfigError.
        """
        followed = self._followed.get(cluster)
        if followed is not None and followed.kubeconfig == kubeconfig:
            return followed.remote
        if client is None:
            client = self.connect(kubeconfig)
        if followed is None:
            remote = RemoteCluster(cluster, client, self._make_informers(cluster, client))
            followed = self._followed[cluster] = _Followed(remote, kubeconfig)
        else:
            followed.kubeconfig = kubeconfig
            followed.remote.client = client
        self._start(followed)
        return followed.remote

    def remove(self, cluster: Key) -> None:
        """Stops following the cluster and forgets its caches."""
        followed = self._followed.pop(cluster, None)
        if followed is not None and followed.task is not None:
            followed.task.cancel()

    def get(self, cluster: Key) -> RemoteCluster | None:
        """The cluster, if it is followed."""
        followed = self._followed.get(cluster)
        return None if followed is None else followed.remote

    def clusters(self) -> list[Key]:
        """The clusters that are followed."""
        return [*self._followed]

    def source(self, model: type[T], map_to_keys: ClusterMapper[T]) -> Source:
        """Changes of a kind on every cluster, as keys: `map_to_keys(cluster, object)`."""
        return _Source(lambda enqueue: self._subscribers.append((model, map_to_keys, enqueue)))

    def state_source(self) -> Source:
        """The cluster's own key, whenever it becomes reachable or unreachable."""
        return _Source(self._state_subscribers.append)

    async def run(self) -> None:
        """Follows the clusters until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for followed in self._followed.values():
                self._start(followed)
            await asyncio.Event().wait()

    def _start(self, followed: _Followed) -> None:
        if self._tasks is not None:
            previous = followed.task
            if previous is not None:
                previous.cancel()
            followed.task = self._tasks.create_task(
                self._follow(followed.remote, followed.remote.client, previous)
            )

    async def _follow(
        self, remote: RemoteCluster, client: Client, previous: asyncio.Task[None] | None
    ) -> None:
        async with client:
            if previous is not None:
                await asyncio.wait({previous})  # it feeds the same caches
            async with asyncio.TaskGroup() as tasks:
                for informer in remote.informers.values():
                    if informer.source is not client:
                        informer.switch(client)
                    tasks.create_task(informer.run())

    def _make_informers(self, cluster: Key, client: Client) -> dict[type, Informer[Any]]:
        informers: dict[type, Informer[Any]] = {}
        for model, selection in self._kinds.items():
            informer: Informer[Any] = Informer(
                client,
                model,
                selection,
                rng=self._manager.rng,
                on_health=lambda: self._state_changed(cluster),
            )
            for name, indexer in self._indexers.get(model, {}).items():
                informer.store.add_indexer(name, indexer)
            informer.add_handler(self._handler(cluster, model))
            informers[model] = informer
        return informers

    def _handler(self, cluster: Key, model: type[KubeObject]) -> Callable[[Change[Any]], None]:
        def on_change(change: Change[Any]) -> None:
            priority = LOW_PRIORITY if change.initial else NORMAL_PRIORITY
            present = [obj for obj in (change.old, change.new) if obj is not None]
            for kind, map_to_keys, enqueue in self._subscribers:
                if kind is model:
                    for key in {key for obj in present for key in map_to_keys(cluster, obj)}:
                        enqueue(key, priority)

        return on_change

    def _state_changed(self, cluster: Key) -> None:
        for enqueue in self._state_subscribers:
            enqueue(cluster, NORMAL_PRIORITY)


class _Source:
    def __init__(self, bind: Callable[[Enqueue], None]) -> None:
        self._bind = bind

    def bind(self, enqueue: Enqueue) -> None:
        self._bind(enqueue)
