"""The caches that the service's controllers share, found by cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from vks.kube.objects import Key, KubeObject
from vks.resources.clusterapi import (
    Cluster,
    KubeadmControlPlane,
    Machine,
    MachineDeployment,
    MachineSet,
)
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation
from vks.resources.project import Project
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPortPool
from vks.runtime.manager import Manager
from vks.runtime.store import Store

T = TypeVar("T", bound=KubeObject)

_BY_CLUSTER = "cluster"


def cluster_of(obj: KubeObject) -> str:
    """The name of the cluster that an object belongs to, empty when it belongs to none."""
    match obj:
        case ManagedCluster():
            return obj.metadata.name
        case NodePool() | Operation():
            return obj.spec.cluster_name
        case _:
            return obj.metadata.labels.get(CLUSTER_NAME_LABEL, "")


def cluster_keys(obj: KubeObject) -> Iterable[Key]:
    """The key of the ManagedCluster that an object belongs to."""
    name = cluster_of(obj)
    return [Key(obj.metadata.namespace, name)] if name else []


def _index(obj: KubeObject) -> Iterable[str]:
    return [str(key) for key in cluster_keys(obj)]


@dataclass(frozen=True)
class Caches:
    """One store per kind."""

    projects: Store[Project]
    managed_clusters: Store[ManagedCluster]
    node_pools: Store[NodePool]
    operations: Store[Operation]
    clusters: Store[Cluster]
    verda_clusters: Store[VerdaCluster]
    control_planes: Store[KubeadmControlPlane]
    deployments: Store[MachineDeployment]
    machine_sets: Store[MachineSet]
    machines: Store[Machine]
    verda_machines: Store[VerdaMachine]
    port_pools: Store[VerdaPortPool]
    legacy_clusters: Store[LegacyCluster]
    legacy_nodes: Store[LegacyNode]

    @classmethod
    def of(cls, manager: Manager) -> Caches:
        def store(model: type[T]) -> Store[T]:
            return manager.informer(model, indexers={_BY_CLUSTER: _index}).store

        return cls(
            projects=manager.informer(Project).store,
            managed_clusters=store(ManagedCluster),
            node_pools=store(NodePool),
            operations=store(Operation),
            clusters=store(Cluster),
            verda_clusters=store(VerdaCluster),
            control_planes=store(KubeadmControlPlane),
            deployments=store(MachineDeployment),
            machine_sets=store(MachineSet),
            machines=store(Machine),
            verda_machines=store(VerdaMachine),
            port_pools=store(VerdaPortPool),
            legacy_clusters=store(LegacyCluster),
            legacy_nodes=store(LegacyNode),
        )


def of_cluster(store: Store[T], cluster: Key) -> list[T]:
    """The objects of a kind that belong to a cluster, by name."""
    return sorted(store.by_index(_BY_CLUSTER, str(cluster)), key=lambda obj: obj.metadata.name)
