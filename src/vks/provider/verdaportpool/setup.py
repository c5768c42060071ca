"""Which changes concern which VerdaPortPool."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from vks.kube.objects import Key
from vks.provider.changes import pause_changed
from vks.provider.stores import keys_of_cluster
from vks.provider.verdaportpool.reconciler import PortPoolReconciler
from vks.provider.wiring import Wiring
from vks.resources.clusterapi import Cluster
from vks.resources.verdaport import VerdaPort, VerdaPortPool


def add_port_pools(wiring: Wiring) -> None:
    stores = wiring.stores
    reconciler = PortPoolReconciler(wiring.client, stores, wiring.clock)

    wiring.add(
        "verdaportpool",
        reconciler.reconcile,
        wiring.watch(VerdaPortPool),
        wiring.watch(VerdaPort, _pool_of),
        wiring.watch(Cluster, partial(keys_of_cluster, stores.port_pools), pause_changed),
    )


def _pool_of(port: VerdaPort) -> Iterable[Key]:
    return [Key(port.metadata.namespace, port.spec.pool_ref.name)]
