"""Wires the provider's controllers to a manager."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.client import Client
from vks.kube.objects import Key, KubeObject
from vks.provider.cloudcontroller.setup import add_cloud_controller
from vks.provider.machine.reconciler import MachineAnnotator
from vks.provider.options import Options
from vks.provider.ports import add_ports, by_holder, by_pool, by_wanted_pool, watch_ports
from vks.provider.scope import Scope
from vks.provider.verdacluster.reconciler import ClusterReconciler
from vks.provider.verdamachine.reconciler import MachineReconciler, Stores
from vks.provider.verdamachinetemplate.reconciler import TemplateReconciler
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.contract import CLUSTER_NAME_LABEL, INFRASTRUCTURE_GROUP
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine, VerdaMachineTemplate
from vks.resources.verdaport import VerdaPort, VerdaPortPool
from vks.runtime.controller import Controller
from vks.runtime.informer import Change
from vks.runtime.manager import Manager
from vks.runtime.store import Store, by_label
from vks.verda.accounts import Accounts

_BY_CLUSTER = by_label(CLUSTER_NAME_LABEL)


def setup(manager: Manager, client: Client, options: Options) -> None:
    """Add everything that the provider does to the manager."""
    scope = Scope(manager, options)
    stores = Stores(
        machines=scope.informer(
            VerdaMachine, {"cluster": _BY_CLUSTER, "pool": by_wanted_pool}
        ).store,
        owners=scope.informer(Machine).store,
        clusters=scope.informer(Cluster).store,
        verda_clusters=scope.informer(VerdaCluster).store,
        ports=scope.informer(VerdaPort, {"pool": by_pool, "holder": by_holder}).store,
    )
    machine_controller: list[Controller] = []
    accounts = Accounts(client, lambda key: machine_controller[0].enqueue(key), manager.clock)
    manager.add(accounts)
    machine_controller.append(_add_machines(manager, client, options, scope, stores, accounts))
    _add_machine_annotator(manager, client, options, scope, stores, accounts)
    _add_clusters(manager, client, options, scope, stores, accounts)
    _add_templates(manager, client, options, scope, stores, accounts)
    add_ports(manager, client, options, scope, stores, accounts)
    add_cloud_controller(manager, client, scope.namespace, scope.selector, stores, accounts)


def _add_machines(
    manager: Manager,
    client: Client,
    options: Options,
    scope: Scope,
    stores: Stores,
    accounts: Accounts,
) -> Controller:
    reconciler = MachineReconciler(
        client, stores, accounts, manager.clock, manager.recorder("vks-verdamachine")
    )

    def of_verda_cluster(cluster: VerdaCluster) -> Iterable[Key]:
        return _machines_of(stores.machines, cluster.metadata.namespace, _cluster_name(cluster))

    def of_cluster(cluster: Cluster) -> Iterable[Key]:
        return _machines_of(stores.machines, cluster.metadata.namespace, cluster.metadata.name)

    controller = Controller(
        "verdamachine",
        reconciler.reconcile,
        watches=[
            scope.watch(VerdaMachine),
            scope.watch(Machine, _infrastructure_of),
            scope.watch(Cluster, of_cluster, cluster_changed),
            scope.watch(VerdaCluster, of_verda_cluster, infrastructure_changed),
            watch_ports(scope, stores.machines),
        ],
        workers=options.concurrency,
        resync=options.sync_period,
    )
    manager.add(controller)
    return controller


def _add_machine_annotator(
    manager: Manager,
    client: Client,
    options: Options,
    scope: Scope,
    stores: Stores,
    accounts: Accounts,
) -> None:
    annotator = MachineAnnotator(client, stores, accounts, manager.clock)
    manager.add(
        Controller(
            "machine",
            annotator.reconcile,
            watches=[scope.watch(VerdaMachine), scope.watch(Machine, _infrastructure_of)],
            workers=options.concurrency,
            resync=options.sync_period,
        )
    )


def _add_clusters(
    manager: Manager,
    client: Client,
    options: Options,
    scope: Scope,
    stores: Stores,
    accounts: Accounts,
) -> None:
    reconciler = ClusterReconciler(
        client,
        stores.verda_clusters,
        stores.clusters,
        stores.machines,
        scope.informer(VerdaPortPool).store,
        accounts,
        manager.clock,
    )

    def of_machine(machine: VerdaMachine) -> Iterable[Key]:
        name = machine.metadata.labels.get(CLUSTER_NAME_LABEL, "")
        cluster = stores.clusters.get(Key(machine.metadata.namespace, name))
        return [] if cluster is None else _infrastructure_of(cluster)

    def of_pool(pool: VerdaPortPool) -> Iterable[Key]:
        cluster = stores.clusters.get(Key(pool.metadata.namespace, pool.spec.cluster_name))
        return [] if cluster is None else _infrastructure_of(cluster)

    manager.add(
        Controller(
            "verdacluster",
            reconciler.reconcile,
            watches=[
                scope.watch(VerdaCluster),
                scope.watch(Cluster, _infrastructure_of, cluster_changed),
                scope.watch(VerdaMachine, of_machine, lambda change: change.new is None),
                scope.watch(VerdaPortPool, of_pool, lambda change: change.new is None),
            ],
            workers=options.concurrency,
            resync=options.sync_period,
        )
    )


def _add_templates(
    manager: Manager,
    client: Client,
    options: Options,
    scope: Scope,
    stores: Stores,
    accounts: Accounts,
) -> None:
    templates = scope.informer(VerdaMachineTemplate).store
    reconciler = TemplateReconciler(client, templates, stores, accounts)
    manager.add(
        Controller(
            "verdamachinetemplate",
            reconciler.reconcile,
            watches=[scope.watch(VerdaMachineTemplate)],
            workers=2,
            resync=options.sync_period,
        )
    )


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


def _infrastructure_of(obj: Machine | Cluster) -> Iterable[Key]:
    reference = obj.spec.infrastructure_ref
    if not reference.name or reference.api_group != INFRASTRUCTURE_GROUP:
        return []
    return [Key(obj.metadata.namespace, reference.name)]


def _cluster_name(obj: KubeObject) -> str:
    return obj.metadata.labels.get(CLUSTER_NAME_LABEL, "")


def _machines_of(machines: Store[VerdaMachine], namespace: str, cluster: str) -> Iterable[Key]:
    found = machines.by_index("cluster", cluster)
    return [machine.key for machine in found if machine.metadata.namespace == namespace]
