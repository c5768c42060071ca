"""Wires the cloud controller: which changes concern which cluster and node."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.client import Client
from vks.kube.objects import Key, KubeObject
from vks.kube.selectors import EVERYTHING, Selection
from vks.provider.cloudcontroller.cluster_reconciler import ClusterFollower
from vks.provider.cloudcontroller.node import CONTROL_PLANE_PODS
from vks.provider.cloudcontroller.node_reconciler import NodeReconciler, node_key
from vks.provider.verdamachine.reconciler import Stores
from vks.resources.clusterapi import Cluster
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.core import Node, Pod
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.clusters import ClusterSet
from vks.runtime.controller import Controller
from vks.runtime.informer import Change
from vks.runtime.manager import Manager
from vks.runtime.watches import Watch
from vks.verda.accounts import Accounts

WORKERS = 10


def add_cloud_controller(
    manager: Manager,
    client: Client,
    namespace: str | None,
    selector: str | None,
    stores: Stores,
    accounts: Accounts,
) -> None:
    kinds: dict[type[KubeObject], Selection] = {Node: EVERYTHING, Pod: CONTROL_PLANE_PODS}
    remotes = ClusterSet(manager, kinds, user_agent="vks-provider")
    follower = ClusterFollower(client, stores, accounts, remotes, manager.clock)
    nodes = NodeReconciler(client, stores, accounts, remotes, manager.clock)
    stores.machines.add_indexer("provider_id", _provider_id)

    def nodes_of(machine: VerdaMachine) -> Iterable[Key]:
        name = machine.metadata.labels.get(CLUSTER_NAME_LABEL, "")
        cluster = Key(machine.metadata.namespace, name)
        remote = remotes.get(cluster)
        if remote is None or not machine.spec.provider_id:
            return []
        return [
            node_key(cluster, node.metadata.name)
            for node in remote.store(Node).list()
            if node.spec.provider_id == machine.spec.provider_id
        ]

    manager.add(remotes)
    manager.add(
        Controller(
            "cloudcontroller-cluster",
            follower.reconcile,
            watches=[
                Watch(Cluster, namespace=namespace, label_selector=selector),
                Watch(
                    VerdaCluster,
                    _cluster_of,
                    _router_changed,
                    namespace=namespace,
                    label_selector=selector,
                ),
            ],
            sources=[
                remotes.state_source(),
                remotes.source(Node, lambda cluster, _: [cluster]),
            ],
            workers=WORKERS,
        )
    )
    manager.add(
        Controller(
            "cloudcontroller-node",
            nodes.reconcile,
            watches=[Watch(VerdaMachine, nodes_of, namespace=namespace, label_selector=selector)],
            sources=[
                remotes.source(Node, lambda cluster, node: [node_key(cluster, node.metadata.name)]),
                remotes.source(Pod, lambda cluster, pod: [node_key(cluster, pod.spec.node_name)]),
            ],
            workers=WORKERS,
        )
    )


def _provider_id(machine: VerdaMachine) -> Iterable[str]:
    return [machine.spec.provider_id] if machine.spec.provider_id else []


def _cluster_of(cluster: VerdaCluster) -> Iterable[Key]:
    name = cluster.metadata.labels.get(CLUSTER_NAME_LABEL)
    return [Key(cluster.metadata.namespace, name)] if name else []


def _router_changed(change: Change[VerdaCluster]) -> bool:
    if change.old is None or change.new is None:
        return True
    return change.old.status.network != change.new.status.network
