"""Which changes concern which IPAddressClaim."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from vks.kube.objects import Key
from vks.provider.changes import pause_changed
from vks.provider.ipaddressclaim.reconciler import AddressClaimReconciler
from vks.provider.stores import by_pool, keys_of_cluster
from vks.provider.verdaport.slots import is_free
from vks.provider.wiring import Wiring
from vks.resources.clusterapi import Cluster
from vks.resources.ipam import IPAddressClaim
from vks.resources.verdaport import VerdaPort, VerdaPortPool


def add_address_claims(wiring: Wiring) -> None:
    claims = wiring.stores.claims
    reconciler = AddressClaimReconciler(wiring.client, wiring.stores, wiring.accounts, wiring.clock)

    def waiting(pool: str) -> Iterable[Key]:
        return [c.key for c in claims.by_index("pool", pool) if c.status.address_ref is None]

    def of_port(port: VerdaPort) -> Iterable[Key]:
        return [key for pool in by_pool(port) for key in waiting(pool)] if is_free(port) else []

    wiring.add(
        "ipaddressclaim",
        reconciler.reconcile,
        wiring.watch(IPAddressClaim),
        wiring.watch(VerdaPort, of_port),
        wiring.watch(VerdaPortPool, lambda pool: waiting(str(pool.key))),
        wiring.watch(Cluster, partial(keys_of_cluster, claims), pause_changed),
    )
