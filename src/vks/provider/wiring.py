"""What every controller of the provider is given, and how it is added to the manager."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from vks.kube.client import Client
from vks.kube.objects import Key, KubeObject
from vks.provider.options import Options
from vks.provider.stores import (
    Stores,
    by_claimed_pool,
    by_holder,
    by_pool,
    by_provider_id,
    by_wanted_pool,
)
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.contract import CLUSTER_NAME_LABEL, WATCH_FILTER_LABEL
from vks.resources.ipam import IPAddressClaim
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine, VerdaMachineTemplate
from vks.resources.verdaport import VerdaPort, VerdaPortPool
from vks.runtime.clock import Clock
from vks.runtime.controller import Controller, Reconcile
from vks.runtime.manager import Manager
from vks.runtime.store import Indexers, Store, by_label
from vks.runtime.watches import KeyMapper, Predicate, Source, Watch, own_key
from vks.verda.accounts import Accounts

T = TypeVar("T", bound=KubeObject)


class Wiring:
    """The part of the management cluster that a provider process looks at: one namespace or all,
    and of that what the watch filter leaves."""

    def __init__(self, manager: Manager, client: Client, options: Options) -> None:
        self.manager = manager
        self.client = client
        self._options = options
        self._selector = (
            f"{WATCH_FILTER_LABEL}={options.watch_filter}" if options.watch_filter else None
        )
        self.stores = Stores(
            clusters=self._store(Cluster),
            owners=self._store(Machine),
            verda_clusters=self._store(VerdaCluster),
            machines=self._store(
                VerdaMachine,
                {
                    "cluster": by_label(CLUSTER_NAME_LABEL),
                    "pool": by_wanted_pool,
                    "provider_id": by_provider_id,
                },
            ),
            templates=self._store(VerdaMachineTemplate),
            port_pools=self._store(VerdaPortPool),
            ports=self._store(VerdaPort, {"pool": by_pool, "holder": by_holder}),
            claims=self._store(IPAddressClaim, {"pool": by_claimed_pool}),
        )
        self.accounts = Accounts(client, self._server_changed, manager.clock)
        self._machines: Controller | None = None
        manager.add(self.accounts)

    @property
    def clock(self) -> Clock:
        return self.manager.clock

    def watch(
        self,
        model: type[T],
        map_to_keys: KeyMapper[T] = own_key,
        predicate: Predicate[T] | None = None,
        *,
        pressing: Predicate[T] = lambda _: False,
    ) -> Watch[T]:
        return Watch(
            model,
            map_to_keys,
            predicate,
            pressing=pressing,
            namespace=self._options.namespace,
            label_selector=self._selector,
        )

    def add(
        self,
        name: str,
        reconcile: Reconcile,
        *watches: Watch[Any],
        sources: Sequence[Source] = (),
        workers: int | None = None,
    ) -> Controller:
        controller = Controller(
            name,
            reconcile,
            watches=watches,
            sources=sources,
            workers=workers or self._options.concurrency,
            resync=self._options.sync_period,
        )
        self.manager.add(controller)
        return controller

    def tell_of_servers(self, machines: Controller) -> None:
        """Changes of servers in the cloud are that controller's."""
        self._machines = machines

    def _server_changed(self, machine: Key) -> None:
        if self._machines is not None:
            self._machines.enqueue(machine)

    def _store(self, model: type[T], indexers: Indexers[T] | None = None) -> Store[T]:
        return self.manager.informer(
            model,
            namespace=self._options.namespace,
            label_selector=self._selector,
            indexers=indexers,
        ).store
