"""Which changes concern which VerdaMachine."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import Key
from vks.provider.changes import cluster_changed, infrastructure_key_of
from vks.provider.stores import by_pool, cluster_name
from vks.provider.verdamachine.reconciler import MachineReconciler
from vks.provider.verdaport.slots import is_free
from vks.provider.wiring import Wiring
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort
from vks.runtime.informer import Change


def add_machines(wiring: Wiring) -> None:
    stores = wiring.stores
    recorder = wiring.manager.recorder("vks-verdamachine")
    reconciler = MachineReconciler(wiring.client, stores, wiring.accounts, wiring.clock, recorder)

    def of_cluster(cluster: Cluster) -> Iterable[Key]:
        meta = cluster.metadata
        return [machine.key for machine in stores.machines_of(meta.namespace, meta.name)]

    def of_verda_cluster(cluster: VerdaCluster) -> Iterable[Key]:
        name = cluster_name(cluster)
        return [machine.key for machine in stores.machines_of(cluster.metadata.namespace, name)]

    def of_port(port: VerdaPort) -> Iterable[Key]:
        """The slot's holder, and those who wait for one."""
        claim = port.spec.claim
        holder = [] if claim is None else [Key(port.metadata.namespace, claim.name)]
        waiting = [
            machine.key
            for pool in by_pool(port)
            for machine in stores.machines.by_index("pool", pool)
            if machine.status.server_id is None
        ]
        return [*holder, *waiting]

    wiring.tell_of_servers(
        wiring.add(
            "verdamachine",
            reconciler.reconcile,
            wiring.watch(VerdaMachine),
            wiring.watch(Machine, infrastructure_key_of, pressing=bootstrap_data_came),
            wiring.watch(Cluster, of_cluster, cluster_changed),
            wiring.watch(VerdaCluster, of_verda_cluster, infrastructure_changed),
            wiring.watch(VerdaPort, of_port, _claim_or_use_changed),
        )
    )


def bootstrap_data_came(change: Change[Machine]) -> bool:
    """Whether a server can be asked for now. Others may only make ready for that: when hundreds are
    created at once, they can wait."""
    before = change.old is not None and change.old.spec.bootstrap.data_secret_name is not None
    return (
        change.new is not None
        and change.new.spec.bootstrap.data_secret_name is not None
        and not before
    )


def infrastructure_changed(change: Change[VerdaCluster]) -> bool:
    """Whether something changed that machines depend on."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (old.spec, old.status.network, old.status.load_balancer, old.status.server_groups) != (
        new.spec,
        new.status.network,
        new.status.load_balancer,
        new.status.server_groups,
    )


def _claim_or_use_changed(change: Change[VerdaPort]) -> bool:
    """Whether another machine may, or must, take another slot now."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (old.spec, is_free(old), old.deleting) != (new.spec, is_free(new), new.deleting)
