"""Pools of legacy clusters. What that provisioner shall make of them is part of its LegacyCluster,
and so the ManagedCluster's controller says it; here it is reported, and nodes are dressed."""

from __future__ import annotations

from collections.abc import Mapping

from vks.kube.apply import Applier
from vks.kube.errors import NotFound
from vks.kube.finalizers import add_finalizer, remove_finalizer
from vks.kube.objects import Key
from vks.resources.clusterapi import Machine, MachineDeployment
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.verdaport import VerdaPortPool
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.service.caches import Caches, of_cluster
from vks.service.managedcluster.observe import Observed, observe
from vks.service.names import POOL_LABEL
from vks.service.nodepool.capacity import shortage
from vks.service.nodepool.nodes import NodeDresser
from vks.service.nodepool.status import reserving_of, status_of
from vks.service.nodepool.version import fill_version
from vks.service.nodepool.zones import wanted
from vks.service.provisioners.legacy.addresses import port_pools_of
from vks.service.workload import Workloads


class LegacyPools:
    """`name` is the field manager of the pools' controller, `finalizer` its finalizer."""

    def __init__(self, manager: Manager, caches: Caches, name: str, finalizer: str) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._caches = caches
        self._name = name
        self._finalizer = finalizer
        self._status = Applier(manager.client, name)
        self._workloads = Workloads(manager.client)
        self._nodes = NodeDresser(name)

    async def reconcile(self, pool: NodePool, cluster: ManagedCluster) -> Result:
        seen = observe(self._caches, cluster.key)
        deployments = [d for d in seen.deployments if _belongs(d, pool)]
        machines = [m for m in seen.machines if _belongs(m, pool)]
        if pool.deleting:
            await self._report(pool, seen, {}, "")
            if not deployments and not machines:
                await self._let_go(pool)
            return DONE
        if cluster.deleting or seen.legacy is None:
            gone = "the cluster is being deleted"
            why = gone if cluster.deleting else "the cluster has not been set up yet"
            await self._report(pool, seen, {}, why)
            return DONE
        pool = await add_finalizer(self._client, pool, self._finalizer)
        pool = await fill_version(self._client, pool, cluster, self._name)
        zones = {d.spec.template.spec.failure_domain: d.spec.replicas for d in deployments}
        await self._report(pool, seen, wanted(pool.spec, zones), "")
        await self._dress(pool, cluster.key, machines)
        return DONE

    async def _report(
        self, pool: NodePool, seen: Observed, desired: Mapping[str, int], waits_for: str
    ) -> None:
        deployments = [d for d in seen.deployments if _belongs(d, pool)]
        machines = [m for m in seen.machines if _belongs(m, pool)]
        short = shortage(machines, seen.verda_machines)
        body = {
            "metadata": {"name": pool.metadata.name, "namespace": pool.metadata.namespace},
            "status": status_of(
                pool,
                deployments,
                desired,
                waits_for,
                short,
                self._clock.now(),
                reserving=reserving_of(pool, self._port_pool(pool)),
            ),
        }
        await self._status.apply(NodePool, body, observed=pool, subresource="status")

    def _port_pool(self, pool: NodePool) -> VerdaPortPool | None:
        key = Key(pool.metadata.namespace, pool.spec.cluster_name)
        legacy = self._caches.legacy_clusters.get(key)
        nodes = of_cluster(self._caches.legacy_nodes, key)
        known = port_pools_of(legacy, nodes) if legacy is not None else []
        return next((p.pool for p in known if p.pool.metadata.name == pool.metadata.name), None)

    async def _dress(self, pool: NodePool, cluster: Key, machines: list[Machine]) -> None:
        names = [m.metadata.name for m in machines if m.status.node_ref and not m.deleting]
        if names:
            client = await self._workloads.client(cluster)
            for name in names:
                await self._nodes.dress(client, cluster, name, pool)

    async def _let_go(self, pool: NodePool) -> None:
        try:
            await remove_finalizer(self._client, pool, self._finalizer)
        except NotFound:
            return


def _belongs(obj: Machine | MachineDeployment, pool: NodePool) -> bool:
    return obj.metadata.labels.get(POOL_LABEL) == pool.spec.pool_name
