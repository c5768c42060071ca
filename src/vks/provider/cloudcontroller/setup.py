"""Wires the cloud controller: which changes concern which cluster and node."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import Key, KubeObject
from vks.kube.selectors import EVERYTHING, Selection
from vks.provider.cloudcontroller.cluster_reconciler import ClusterFollower
from vks.provider.cloudcontroller.node import CONTROL_PLANE_PODS
from vks.provider.cloudcontroller.node_reconciler import NodeReconciler, node_key
from vks.provider.stores import cluster_name
from vks.provider.wiring import Wiring
from vks.resources.clusterapi import Cluster
from vks.resources.contract import CONTROL_PLANE_LABEL
from vks.resources.core import Node, Pod
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.clusters import ClusterSet
from vks.runtime.informer import Change

WORKERS = 10


def add_cloud_controller(wiring: Wiring) -> None:
    kinds: dict[type[KubeObject], Selection] = {Node: EVERYTHING, Pod: CONTROL_PLANE_PODS}
    remotes = ClusterSet(
        wiring.manager,
        kinds,
        indexers={Node: {"provider_id": by_provider_id}},
        user_agent="vks-provider",
    )
    given = wiring.client, wiring.stores, wiring.accounts, remotes, wiring.clock
    follower, nodes = ClusterFollower(*given), NodeReconciler(*given)

    def nodes_of(machine: VerdaMachine) -> Iterable[Key]:
        cluster = Key(machine.metadata.namespace, cluster_name(machine))
        remote = remotes.get(cluster)
        if remote is None or not machine.spec.provider_id:
            return []
        nodes = remote.store(Node).by_index("provider_id", machine.spec.provider_id)
        return [node_key(cluster, node.metadata.name) for node in nodes]

    wiring.manager.add(remotes)
    wiring.add(
        "cloudcontroller-cluster",
        follower.reconcile,
        wiring.watch(Cluster),
        wiring.watch(VerdaCluster, _cluster_of, _router_changed),
        wiring.watch(VerdaMachine, _cluster_of, _may_serve),
        sources=[remotes.state_source(), remotes.source(Node, lambda cluster, _: [cluster])],
        workers=WORKERS,
    )
    wiring.add(
        "cloudcontroller-node",
        nodes.reconcile,
        wiring.watch(VerdaMachine, nodes_of),
        sources=[
            remotes.source(Node, lambda cluster, node: [node_key(cluster, node.metadata.name)]),
            remotes.source(Pod, lambda cluster, pod: [node_key(cluster, pod.spec.node_name)]),
        ],
        workers=WORKERS,
    )


def by_provider_id(node: Node) -> Iterable[str]:
    return (node.spec.provider_id,) if node.spec.provider_id else ()


def _cluster_of(obj: VerdaCluster | VerdaMachine) -> Iterable[Key]:
    name = cluster_name(obj)
    return [Key(obj.metadata.namespace, name)] if name else []


def _may_serve(change: Change[VerdaMachine]) -> bool:
    """Whether a control plane's server runs now, which is when its API server may come up."""
    old, new = change.old, change.new
    if new is None or CONTROL_PLANE_LABEL not in new.metadata.labels:
        return False
    before = old is not None and bool(old.status.initialization.provisioned)
    return bool(new.status.initialization.provisioned) and not before


def _router_changed(change: Change[VerdaCluster]) -> bool:
    if change.old is None or change.new is None:
        return True
    return change.old.status.network != change.new.status.network
