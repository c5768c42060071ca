"""Wires hub and controllers to a manager."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.client import Client
from vks.kube.objects import Key
from vks.legacy.server.hub import Hub
from vks.legacy.server.legacycluster.network import NetworkKeeper
from vks.legacy.server.legacycluster.reconciler import ClusterReconciler
from vks.legacy.server.legacynode.reconciler import NodeReconciler
from vks.legacy.server.metrics import ClusterMetrics
from vks.legacy.server.options import Options
from vks.legacy.server.secrets import Vault
from vks.legacy.server.stores import Stores, cluster_index
from vks.resources.core import ConfigMap
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.runtime.controller import Controller
from vks.runtime.manager import Manager
from vks.runtime.watches import Watch
from vks.verda.accounts import Accounts

WORKERS = 10


def setup(manager: Manager, client: Client, options: Options) -> Hub:
    """Add everything that the server does to the manager."""
    namespace = options.namespace
    nodes_informer = manager.informer(
        LegacyNode, namespace=namespace, indexers={"cluster": cluster_index}
    )
    clusters_informer = manager.informer(LegacyCluster, namespace=namespace)
    stores = Stores(clusters_informer.store, nodes_informer.store)
    controllers: list[Controller] = []

    def notify(node: Key) -> None:
        controllers[0].enqueue(node)

    vault = Vault(client)
    accounts = Accounts(client, notify, manager.clock)
    hub = Hub(client, options.listener, notify, manager.metrics.registry)
    nodes = NodeReconciler(client, stores, accounts, hub, vault, options.address, manager.clock)
    clusters = ClusterReconciler(
        client,
        stores,
        NetworkKeeper(accounts, manager.clock),
        hub,
        vault,
        manager.clock,
        manager.recorder("vks-legacycluster"),
        ClusterMetrics(manager.metrics.registry),
    )

    def nodes_of(cluster: LegacyCluster) -> Iterable[Key]:
        return [node.key for node in stores.nodes_of(cluster.key)]

    def peers_of(node: LegacyNode) -> Iterable[Key]:
        """Control planes are what all the others' plans and waits depend on."""
        if not node.is_control_plane:
            return [node.key]
        return [peer.key for peer in stores.nodes_of(_cluster_of(node))]

    def with_add_ons(config: ConfigMap) -> Iterable[Key]:
        return [
            cluster.key
            for cluster in stores.clusters.list(config.metadata.namespace)
            if cluster.spec.add_ons is not None
            and cluster.spec.add_ons.name == config.metadata.name
        ]

    controllers.append(
        Controller(
            "legacynode",
            nodes.reconcile,
            workers=WORKERS,
            watches=[
                Watch(LegacyNode, peers_of, namespace=namespace),
                Watch(LegacyCluster, nodes_of, namespace=namespace),
            ],
        )
    )
    controllers.append(
        Controller(
            "legacycluster",
            clusters.reconcile,
            workers=WORKERS,
            watches=[
                Watch(LegacyCluster, namespace=namespace),
                Watch(LegacyNode, lambda node: [_cluster_of(node)], namespace=namespace),
                Watch(ConfigMap, with_add_ons, namespace=namespace),
            ],
        )
    )
    manager.add(accounts)
    manager.add(hub)
    for controller in controllers:
        manager.add(controller)
    return hub


def _cluster_of(node: LegacyNode) -> Key:
    return Key(node.metadata.namespace, node.spec.cluster_name)
