"""Which changes concern which VerdaPort."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from vks.kube.objects import Key
from vks.provider.changes import pause_changed
from vks.provider.stores import keys_of_cluster
from vks.provider.verdaport.reconciler import PortReconciler
from vks.provider.wiring import Wiring
from vks.resources.clusterapi import Cluster
from vks.resources.ipam import IPAddressClaim
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort
from vks.runtime.informer import Change


def add_ports(wiring: Wiring) -> None:
    stores = wiring.stores
    reconciler = PortReconciler(wiring.client, stores, wiring.accounts, wiring.clock)

    of_cluster = partial(keys_of_cluster, stores.ports)

    def of_verda_cluster(cluster: VerdaCluster) -> Iterable[Key]:
        owner = stores.owner_cluster(cluster)
        return [] if owner is None else of_cluster(owner)

    def held(holder: VerdaMachine | IPAddressClaim) -> Iterable[Key]:
        return [
            port.key
            for port in stores.ports.by_index("holder", str(holder.key))
            if port.spec.claim is not None and port.spec.claim.kind == type(holder).resource.kind
        ]

    wiring.add(
        "verdaport",
        reconciler.reconcile,
        wiring.watch(VerdaPort),
        wiring.watch(VerdaMachine, held, _holder_changed),
        wiring.watch(IPAddressClaim, held, _claim_changed),
        wiring.watch(Cluster, of_cluster, pause_changed),
        wiring.watch(VerdaCluster, of_verda_cluster, _network_changed),
    )


def _network_changed(change: Change[VerdaCluster]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or old.status.network != new.status.network


def _holder_changed(change: Change[VerdaMachine]) -> bool:
    """Whether the slot's state may be another one now."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (old.deleting, old.status.server_id) != (new.deleting, new.status.server_id)


def _claim_changed(change: Change[IPAddressClaim]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or old.deleting != new.deleting
