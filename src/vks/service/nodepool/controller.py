"""The NodePool controller: spread over zones, apply, report, and take down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from vks.kube.apply import Applier
from vks.kube.errors import NotFound
from vks.kube.finalizers import add_finalizer, remove_finalizer
from vks.kube.objects import Key, KubeObject, find_condition
from vks.resources.clusterapi import Cluster, Machine, MachineDeployment
from vks.resources.contract import READY
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool, nodepool_name
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPortPool
from vks.runtime.controller import Controller
from vks.runtime.informer import Change
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.runtime.store import Store
from vks.runtime.watches import Watch
from vks.service.applying import ManifestApplier
from vks.service.caches import Caches, cluster_keys, cluster_of, of_cluster
from vks.service.managedcluster.observe import observe
from vks.service.names import POOL_LABEL, machine_deployment_name
from vks.service.nodepool.capacity import shortage
from vks.service.nodepool.leaving import mark, spread
from vks.service.nodepool.legacy import LegacyPools
from vks.service.nodepool.nodes import NodeDresser
from vks.service.nodepool.replicas import ReplicasHandover
from vks.service.nodepool.status import reserving_of, status_of
from vks.service.nodepool.turns import in_turn, is_ready, look
from vks.service.nodepool.version import fill_version
from vks.service.nodepool.zones import bounds_of
from vks.service.provisioners.capi.rolling import outdated
from vks.service.provisioners.capi.workers import pool_manifests
from vks.service.upgrade.decide import pauses_pool
from vks.service.workload import Workloads

NAME = "vks-nodepool"
FINALIZER = "vks.verda/nodepool"


class NodePoolReconciler:
    """Reconciles pools: those that the capi provisioner serves here, the others beside it."""

    def __init__(self, manager: Manager, caches: Caches) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._caches = caches
        self._manifests = ManifestApplier(manager.client, NAME, manager.clock)
        self._stores: dict[type[KubeObject], Store[Any]] = {
            MachineDeployment: caches.deployments,
            VerdaPortPool: caches.port_pools,
        }
        self._status = Applier(manager.client, NAME)
        self._workloads = Workloads(manager.client)
        self._nodes = NodeDresser(NAME)
        self._legacy = LegacyPools(manager, caches, NAME, FINALIZER)
        self._replicas = ReplicasHandover(manager.client, NAME)

    async def reconcile(self, key: Key) -> Result:
        pool = self._caches.node_pools.get(key)
        if pool is None:
            return DONE
        owner = Key(key.namespace, pool.spec.cluster_name)
        cluster = self._caches.managed_clusters.get(owner)
        if cluster is not None and cluster.spec.provisioner != "capi":
            return await self._legacy.reconcile(pool, cluster)
        deployments = [
            deployment
            for deployment in of_cluster(self._caches.deployments, owner)
            if deployment.metadata.labels.get(POOL_LABEL) == pool.spec.pool_name
        ]
        if pool.deleting:
            return await self._delete(pool, deployments)
        waits_for = self._waits_for(pool, owner, cluster)
        if cluster is None or waits_for:
            await self._report(pool, deployments, {}, waits_for)
            return DONE
        pool = await add_finalizer(self._client, pool, FINALIZER)
        pool = await fill_version(self._client, pool, cluster, NAME)
        machines = self._machines(pool)
        await mark(self._client, pool, machines, NAME)
        desired = spread(pool, self._current(pool, cluster, deployments), machines)
        said = await self._said(pool, deployments, desired)
        manifests = pool_manifests(cluster, pool, said, paused=pauses_pool(cluster, pool))
        changed = outdated(manifests, deployments)
        generations: dict[Key, int] = {}
        zones = look(deployments, of_cluster(self._caches.machine_sets, owner), machines)
        for manifest in in_turn(pool.spec, desired, manifests, changed, zones):
            store = self._stores.get(manifest.model)
            generation = await self._manifests.apply(manifest, store)
            if manifest.model is MachineDeployment:
                generations[manifest.key] = generation
        await self._remove_empty(pool, deployments)
        deployments = [_as_applied(d, generations) for d in deployments]
        await self._report(pool, deployments, desired, "", changed)
        await self._dress(pool, owner)
        return DONE

    async def _said(
        self,
        pool: NodePool,
        deployments: Iterable[MachineDeployment],
        desired: Mapping[str, int],
    ) -> dict[str, int | None]:
        """`desired`, without the numbers that are the autoscaler's: those of zones that it may
        scale, once they are within its bounds."""
        bounds = bounds_of(pool.spec)
        said: dict[str, int | None] = dict(desired)
        for deployment in deployments:
            zone = deployment.spec.template.spec.failure_domain
            scalable = zone in bounds and bounds[zone].scalable
            if scalable and deployment.spec.replicas == desired[zone]:
                await self._replicas.release(deployment)
                said[zone] = None
            else:
                self._replicas.reclaimed(deployment)
        return said

    async def _dress(self, pool: NodePool, owner: Key) -> None:
        """Labels and taints go onto the nodes that have joined; nothing is replaced for them."""
        names = [
            machine.status.node_ref.name
            for machine in self._machines(pool)
            if machine.status.node_ref is not None and not machine.deleting
        ]
        if names:
            client = await self._workloads.client(owner)
            for name in names:
                await self._nodes.dress(client, owner, name, pool)

    def _current(
        self,
        pool: NodePool,
        cluster: ManagedCluster,
        deployments: Iterable[MachineDeployment],
    ) -> dict[str, int]:
        """Replicas per zone as they are; a cluster that is being taken over keeps its spread."""
        inherited = cluster.spec.inherited
        former = self._caches.legacy_clusters.get(cluster.key)
        current: dict[str, int] = {}
        if inherited is not None and inherited.on_hold is not None and former is not None:
            current = {
                zone.name: zone.replicas
                for known in former.spec.node_pools
                if known.name == pool.spec.pool_name
                for zone in known.zones
            }
        return current | {d.spec.template.spec.failure_domain: d.spec.replicas for d in deployments}

    def _waits_for(self, pool: NodePool, owner: Key, cluster: ManagedCluster | None) -> str:
        """Machines are made for a Cluster that exists and stays, under names that nobody has."""
        if cluster is None:
            return "there is no such cluster"
        if cluster.deleting:
            return "the cluster is being deleted"
        if self._caches.clusters.get(owner) is None or cluster.spec.bootstrap is None:
            return "the cluster has not been set up yet"
        for zone in pool.spec.zones:
            name = machine_deployment_name(owner.name, pool.spec.pool_name, zone)
            found = self._caches.deployments.get(Key(owner.namespace, name))
            theirs = found.metadata.labels.get(POOL_LABEL) if found is not None else None
            if found and (cluster_of(found), theirs) != (owner.name, pool.spec.pool_name):
                return f"pool {theirs} of cluster {cluster_of(found)} has machines of its names"
        return ""

    async def _remove_empty(self, pool: NodePool, deployments: Iterable[MachineDeployment]) -> None:
        """Zones that the pool left go once their last machine is gone."""
        for deployment in deployments:
            zone = deployment.spec.template.spec.failure_domain
            empty = deployment.spec.replicas == 0 == deployment.status.replicas
            if zone not in pool.spec.zones and empty:
                await self._remove(deployment)

    def _machines(self, pool: NodePool) -> list[Machine]:
        owner = Key(pool.metadata.namespace, pool.spec.cluster_name)
        return [
            machine
            for machine in of_cluster(self._caches.machines, owner)
            if machine.metadata.labels.get(POOL_LABEL) == pool.spec.pool_name
        ]

    async def _delete(self, pool: NodePool, deployments: list[MachineDeployment]) -> Result:
        await self._report(pool, deployments, {}, "")
        for deployment in deployments:
            await self._remove(deployment)
        if deployments or self._machines(pool) or await self._reserves_ports(pool):
            return DONE
        try:
            await remove_finalizer(self._client, pool, FINALIZER)
        except NotFound:
            return DONE
        return DONE

    async def _reserves_ports(self, pool: NodePool) -> bool:
        """Whether there are ports of the pool; asks for their end, now that nothing uses them."""
        ports = self._caches.port_pools.get(pool.key)
        if ports is not None and not ports.deleting:
            meta = ports.metadata
            await self._client.delete(VerdaPortPool, meta.name, meta.namespace, uid=meta.uid)
        return ports is not None

    async def _remove(self, deployment: MachineDeployment) -> None:
        if not deployment.deleting:
            meta = deployment.metadata
            await self._client.delete(MachineDeployment, meta.name, meta.namespace, uid=meta.uid)

    async def _report(
        self,
        pool: NodePool,
        deployments: list[MachineDeployment],
        desired: Mapping[str, int],
        waits_for: str,
        changed: Collection[str] = (),
    ) -> None:
        owner = Key(pool.metadata.namespace, pool.spec.cluster_name)
        short = shortage(self._machines(pool), of_cluster(self._caches.verda_machines, owner))
        body = {
            "metadata": {"name": pool.metadata.name, "namespace": pool.metadata.namespace},
            "status": status_of(
                pool,
                deployments,
                desired,
                waits_for,
                short,
                self._clock.now(),
                changed,
                reserving_of(pool, self._caches.port_pools.get(pool.key)),
                self._unconnected(pool, owner),
            ),
        }
        await self._status.apply(NodePool, body, observed=pool, subresource="status")

    def _unconnected(self, pool: NodePool, owner: Key) -> dict[str, int]:
        """How many nodes of each zone wait for a pod network of the user's."""
        cluster = self._caches.managed_clusters.get(owner)
        if cluster is None or cluster.spec.network.cni != "none":
            return {}
        lacking = observe(self._caches, owner).unconnected
        waiting = [m for m in self._machines(pool) if m.metadata.name in lacking]
        return Counter(machine.spec.failure_domain for machine in waiting)


def _as_applied(deployment: MachineDeployment, generations: Mapping[Key, int]) -> MachineDeployment:
    """With the generation that was just written: what the cache says of the status was true of
    an earlier one."""
    meta = deployment.metadata
    newest = max(meta.generation, generations.get(deployment.key, 0))
    return msgspec.structs.replace(
        deployment, metadata=msgspec.structs.replace(meta, generation=newest)
    )


def _node_changes(change: Change[Machine]) -> bool:
    """A machine got its node, became ready or no longer is, or went."""
    old, new = change.old, change.new
    if old is None or new is None or old.status.node_ref != new.status.node_ref:
        return True
    return is_ready(old) != is_ready(new)


def _room_changes(change: Change[VerdaMachine]) -> bool:
    """Whether a machine waits for room, and why."""
    if change.old is None or change.new is None:
        return True
    return find_condition(change.old.status.conditions, READY) != find_condition(
        change.new.status.conditions, READY
    )


def _ports_change(change: Change[VerdaPortPool]) -> bool:
    """Addresses are reserved, or the ports came or went."""
    old, new = change.old, change.new
    return old is None or new is None or old.status.conditions != new.status.conditions


def setup(manager: Manager, caches: Caches) -> Controller:
    reconciler = NodePoolReconciler(manager, caches)

    def pools_of(obj: ManagedCluster | Cluster | LegacyCluster) -> list[Key]:
        return [
            pool.key for key in cluster_keys(obj) for pool in of_cluster(caches.node_pools, key)
        ]

    def pool_of_node(node: LegacyNode) -> list[Key]:
        spec = node.spec
        if spec.pool is None:
            return []
        return [Key(node.metadata.namespace, nodepool_name(spec.cluster_name, spec.pool))]

    def pool_of(obj: MachineDeployment | Machine | VerdaMachine) -> list[Key]:
        pool = obj.metadata.labels.get(POOL_LABEL)
        cluster = cluster_of(obj)
        if not pool or not cluster:
            return []
        return [Key(obj.metadata.namespace, nodepool_name(cluster, pool))]

    controller = Controller(
        "nodepool",
        reconciler.reconcile,
        workers=10,
        watches=[
            Watch(NodePool),
            Watch(ManagedCluster, pools_of),
            Watch(Cluster, pools_of),
            Watch(LegacyCluster, pools_of),
            Watch(LegacyNode, pool_of_node),
            Watch(MachineDeployment, pool_of),
            Watch(Machine, pool_of, predicate=_node_changes),
            Watch(VerdaMachine, pool_of, predicate=_room_changes),
            Watch(VerdaPortPool, lambda ports: [ports.key], predicate=_ports_change),
        ],
    )
    manager.add(controller)
    return controller
