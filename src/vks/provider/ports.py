"""Wires the controllers of port pools: which change of what concerns whom."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.client import Client
from vks.kube.objects import Key
from vks.provider.ipaddressclaim import reconciler as ipaddressclaim
from vks.provider.ipaddressclaim.address import asks_us
from vks.provider.options import Options
from vks.provider.scope import Scope
from vks.provider.verdamachine.reconciler import Stores
from vks.provider.verdaport import reconciler as verdaport
from vks.provider.verdaport.slots import is_free
from vks.provider.verdaportpool.reconciler import PortPoolReconciler
from vks.resources.clusterapi import Cluster
from vks.resources.ipam import IPAddressClaim
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort, VerdaPortPool
from vks.runtime.controller import Controller
from vks.runtime.informer import Change
from vks.runtime.manager import Manager
from vks.runtime.store import Store
from vks.runtime.watches import Watch
from vks.verda.accounts import Accounts


def by_pool(port: VerdaPort) -> Iterable[str]:
    """The index "pool": the pool's key."""
    return (str(Key(port.metadata.namespace, port.spec.pool_ref.name)),)


def by_wanted_pool(machine: VerdaMachine) -> Iterable[str]:
    """The index "pool" of machines: the key of the pool that they boot from."""
    pool = machine.spec.port_pool_ref
    return () if pool is None else (str(Key(machine.metadata.namespace, pool.name)),)


def watch_ports(scope: Scope, machines: Store[VerdaMachine]) -> Watch[VerdaPort]:
    """For the machine controller: a slot's holder, and those who wait for one."""

    def concerned(port: VerdaPort) -> Iterable[Key]:
        claim = port.spec.claim
        holder = [] if claim is None else [Key(port.metadata.namespace, claim.name)]
        waiting = [
            machine.key
            for pool in by_pool(port)
            for machine in machines.by_index("pool", pool)
            if machine.status.server_id is None
        ]
        return [*holder, *waiting]

    return scope.watch(VerdaPort, concerned, _claim_or_use_changed)


def add_ports(
    manager: Manager,
    client: Client,
    options: Options,
    scope: Scope,
    stores: Stores,
    accounts: Accounts,
) -> None:
    """The controllers of VerdaPortPools, VerdaPorts and IPAddressClaims."""
    pools = scope.informer(VerdaPortPool).store
    claims = scope.informer(IPAddressClaim, {"pool": _by_claimed_pool}).store
    _add_pools(manager, client, options, scope, stores, pools)
    _add_slots(manager, client, options, scope, stores, accounts, claims)
    _add_claims(manager, client, options, scope, stores, accounts, claims, pools)


def _add_pools(
    manager: Manager,
    client: Client,
    options: Options,
    scope: Scope,
    stores: Stores,
    pools: Store[VerdaPortPool],
) -> None:
    reconciler = PortPoolReconciler(client, pools, stores.ports, stores.clusters, manager.clock)
    manager.add(
        Controller(
            "verdaportpool",
            reconciler.reconcile,
            watches=[
                scope.watch(VerdaPortPool),
                scope.watch(VerdaPort, _pool_of),
                scope.watch(Cluster, lambda c: _of_cluster(pools, c), _pause_changed),
            ],
            workers=options.concurrency,
            resync=options.sync_period,
        )
    )


def _add_slots(
    manager: Manager,
    client: Client,
    options: Options,
    scope: Scope,
    stores: Stores,
    accounts: Accounts,
    claims: Store[IPAddressClaim],
) -> None:
    reconciler = verdaport.PortReconciler(
        client,
        verdaport.Stores(
            stores.ports, stores.machines, claims, stores.clusters, stores.verda_clusters
        ),
        accounts,
        manager.clock,
    )

    def of_verda_cluster(cluster: VerdaCluster) -> Iterable[Key]:
        owners = [o.name for o in cluster.metadata.owner_references if o.kind == "Cluster"]
        return [
            port.key
            for port in stores.ports.list(cluster.metadata.namespace)
            if port.spec.cluster_name in owners
        ]

    def held(holder: VerdaMachine | IPAddressClaim) -> Iterable[Key]:
        return [
            port.key
            for port in stores.ports.by_index("holder", str(holder.key))
            if port.spec.claim is not None and port.spec.claim.kind == type(holder).resource.kind
        ]

    manager.add(
        Controller(
            "verdaport",
            reconciler.reconcile,
            watches=[
                scope.watch(VerdaPort),
                scope.watch(VerdaMachine, held, _holder_changed),
                scope.watch(IPAddressClaim, held, _claim_changed),
                scope.watch(Cluster, lambda c: _of_cluster(stores.ports, c), _pause_changed),
                scope.watch(VerdaCluster, of_verda_cluster, _network_changed),
            ],
            workers=options.concurrency,
            resync=options.sync_period,
        )
    )


def _add_claims(
    manager: Manager,
    client: Client,
    options: Options,
    scope: Scope,
    stores: Stores,
    accounts: Accounts,
    claims: Store[IPAddressClaim],
    pools: Store[VerdaPortPool],
) -> None:
    reconciler = ipaddressclaim.AddressClaimReconciler(
        client,
        ipaddressclaim.Stores(claims, pools, stores.ports, stores.clusters, stores.verda_clusters),
        accounts,
        manager.clock,
    )

    def waiting(pool: str) -> Iterable[Key]:
        return [c.key for c in claims.by_index("pool", pool) if c.status.address_ref is None]

    def of_port(port: VerdaPort) -> Iterable[Key]:
        return [key for pool in by_pool(port) for key in waiting(pool)] if is_free(port) else []

    def of_cluster(cluster: Cluster) -> Iterable[Key]:
        return [
            claim.key
            for claim in claims.list(cluster.metadata.namespace)
            if claim.spec.cluster_name == cluster.metadata.name
        ]

    manager.add(
        Controller(
            "ipaddressclaim",
            reconciler.reconcile,
            watches=[
                scope.watch(IPAddressClaim),
                scope.watch(VerdaPort, of_port),
                scope.watch(VerdaPortPool, lambda pool: waiting(str(pool.key))),
                scope.watch(Cluster, of_cluster, _pause_changed),
            ],
            workers=options.concurrency,
            resync=options.sync_period,
        )
    )


def by_holder(port: VerdaPort) -> Iterable[str]:
    """The index "holder": the key of the object that has the slot."""
    claim = port.spec.claim
    return () if claim is None else (str(Key(port.metadata.namespace, claim.name)),)


def _by_claimed_pool(claim: IPAddressClaim) -> Iterable[str]:
    if not asks_us(claim):
        return ()
    return (str(Key(claim.metadata.namespace, claim.spec.pool_ref.name)),)


def _pool_of(port: VerdaPort) -> Iterable[Key]:
    return [Key(port.metadata.namespace, port.spec.pool_ref.name)]


def _of_cluster(store: Store[VerdaPort] | Store[VerdaPortPool], cluster: Cluster) -> Iterable[Key]:
    return [
        obj.key
        for obj in store.list(cluster.metadata.namespace)
        if obj.spec.cluster_name == cluster.metadata.name
    ]


def _pause_changed(change: Change[Cluster]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or old.spec.paused != new.spec.paused


def _network_changed(change: Change[VerdaCluster]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or old.status.network != new.status.network


def _holder_changed(change: Change[VerdaMachine]) -> bool:
    """Whether the slot's state may be another one now."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (old.deleting, old.status.server_id) != (new.deleting, new.status.server_id)


def _claim_or_use_changed(change: Change[VerdaPort]) -> bool:
    """Whether another machine may, or must, take another slot now."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (old.spec, is_free(old), old.deleting) != (new.spec, is_free(new), new.deleting)


def _claim_changed(change: Change[IPAddressClaim]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or old.deleting != new.deleting
