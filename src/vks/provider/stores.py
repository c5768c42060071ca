"""The caches that the provider's controllers share, and the ways from one object to another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from vks.kube.objects import Key, KubeObject
from vks.provider.ipaddressclaim.address import asks_us
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.contract import CLUSTER_GROUP, CLUSTER_NAME_LABEL, INFRASTRUCTURE_GROUP
from vks.resources.ipam import IPAddressClaim
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine, VerdaMachineTemplate
from vks.resources.verdaport import VerdaPort, VerdaPortPool
from vks.runtime.store import Store


class Stores(NamedTuple):
    """Indexes: of `machines` "cluster" (by name), "pool" and "provider_id"; of `ports` "pool" and
    "holder"; of `claims` "pool". Pools and holders are named by their keys."""

    clusters: Store[Cluster]
    owners: Store[Machine]
    verda_clusters: Store[VerdaCluster]
    machines: Store[VerdaMachine]
    templates: Store[VerdaMachineTemplate]
    port_pools: Store[VerdaPortPool]
    ports: Store[VerdaPort]
    claims: Store[IPAddressClaim]

    def cluster_of(self, obj: KubeObject) -> Cluster | None:
        """The Cluster that the object's label names."""
        return self.clusters.get(Key(obj.metadata.namespace, cluster_name(obj)))

    def owner_cluster(self, obj: KubeObject) -> Cluster | None:
        """The Cluster that owns the object."""
        name = _owner_name(obj, "Cluster")
        return self.clusters.get(Key(obj.metadata.namespace, name)) if name else None

    def owner_machine(self, machine: VerdaMachine) -> Machine | None:
        """The Machine that owns the object."""
        name = _owner_name(machine, "Machine")
        return self.owners.get(Key(machine.metadata.namespace, name)) if name else None

    def infrastructure_of(self, cluster: Cluster | None) -> VerdaCluster | None:
        """The VerdaCluster that the Cluster refers to; None when it is another provider's."""
        key = infrastructure_key(cluster) if cluster is not None else None
        return self.verda_clusters.get(key) if key is not None else None

    def machines_of(self, namespace: str, cluster: str) -> list[VerdaMachine]:
        """The machines of a cluster."""
        found = self.machines.by_index("cluster", cluster)
        return [machine for machine in found if machine.metadata.namespace == namespace]


def keys_of_cluster(
    store: Store[VerdaPortPool] | Store[VerdaPort] | Store[IPAddressClaim], cluster: Cluster
) -> list[Key]:
    """The objects whose spec names the cluster."""
    return [
        obj.key
        for obj in store.list(cluster.metadata.namespace)
        if obj.spec.cluster_name == cluster.metadata.name
    ]


def cluster_name(obj: KubeObject) -> str:
    """The cluster that the object's label names; empty without one."""
    return obj.metadata.labels.get(CLUSTER_NAME_LABEL, "")


def infrastructure_key(obj: Machine | Cluster) -> Key | None:
    """The key of what the object refers to, when that is ours."""
    reference = obj.spec.infrastructure_ref
    if not reference.name or reference.api_group != INFRASTRUCTURE_GROUP:
        return None
    return Key(obj.metadata.namespace, reference.name)


def by_pool(port: VerdaPort) -> Iterable[str]:
    """The index "pool" of ports."""
    return (str(Key(port.metadata.namespace, port.spec.pool_ref.name)),)


def by_wanted_pool(machine: VerdaMachine) -> Iterable[str]:
    """The index "pool" of machines: the pool that they boot from."""
    pool = machine.spec.port_pool_ref
    return () if pool is None else (str(Key(machine.metadata.namespace, pool.name)),)


def by_provider_id(machine: VerdaMachine) -> Iterable[str]:
    """The index "provider_id" of machines."""
    return (machine.spec.provider_id,) if machine.spec.provider_id else ()


def by_holder(port: VerdaPort) -> Iterable[str]:
    """The index "holder": the object that has the slot."""
    claim = port.spec.claim
    return () if claim is None else (str(Key(port.metadata.namespace, claim.name)),)


def by_claimed_pool(claim: IPAddressClaim) -> Iterable[str]:
    """The index "pool" of claims; none for another provider's."""
    if not asks_us(claim):
        return ()
    return (str(Key(claim.metadata.namespace, claim.spec.pool_ref.name)),)


def _owner_name(obj: KubeObject, kind: str) -> str:
    for reference in obj.metadata.owner_references:
        if reference.kind == kind and reference.api_version.startswith(CLUSTER_GROUP):
            return reference.name
    return ""
