"""Which changes concern which VerdaCluster."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import Key
from vks.provider.changes import cluster_changed, infrastructure_key_of
from vks.provider.verdacluster.reconciler import ClusterReconciler
from vks.provider.wiring import Wiring
from vks.resources.clusterapi import Cluster
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPortPool


def add_clusters(wiring: Wiring) -> None:
    stores = wiring.stores
    reconciler = ClusterReconciler(wiring.client, stores, wiring.accounts, wiring.clock)

    def of_machine(machine: VerdaMachine) -> Iterable[Key]:
        cluster = stores.cluster_of(machine)
        return [] if cluster is None else infrastructure_key_of(cluster)

    def of_pool(pool: VerdaPortPool) -> Iterable[Key]:
        cluster = stores.clusters.get(Key(pool.metadata.namespace, pool.spec.cluster_name))
        return [] if cluster is None else infrastructure_key_of(cluster)

    wiring.add(
        "verdacluster",
        reconciler.reconcile,
        wiring.watch(VerdaCluster),
        wiring.watch(Cluster, infrastructure_key_of, cluster_changed),
        wiring.watch(VerdaMachine, of_machine, lambda change: change.new is None),
        wiring.watch(VerdaPortPool, of_pool, lambda change: change.new is None),
    )
