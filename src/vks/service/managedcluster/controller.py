"""The ManagedCluster controller: apply what is wanted, report, delete in order."""

from __future__ import annotations

from typing import Any

import msgspec

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.errors import AlreadyExists, NotFound
from vks.kube.finalizers import add_finalizer, remove_finalizer
from vks.kube.objects import Key, KubeObject, find_condition
from vks.resources.clusterapi import Cluster, KubeadmControlPlane, Machine
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import INITIAL_POOLS_ANNOTATION, ManagedCluster
from vks.resources.nodepool import NodePool, NodePoolSpec, nodepool_name
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.controller import Controller
from vks.runtime.informer import Change
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.runtime.store import Store
from vks.runtime.watches import Watch
from vks.service.applying import ManifestApplier, plain
from vks.service.caches import Caches, cluster_keys
from vks.service.config import RegionConfig
from vks.service.managedcluster.observe import Observed, observe
from vks.service.managedcluster.status import ADD_ONS_READY, status_of
from vks.service.provisioners.capi.addons import addon_manifests
from vks.service.provisioners.capi.cluster import cluster_manifests
from vks.service.provisioners.capi.manifest import Manifest, labels_of, owned
from vks.service.provisioners.legacy.cluster import legacy_manifests
from vks.service.upgrade.decide import pauses_control_plane, pauses_pool
from vks.service.workload import Workloads

NAME = "vks-managedcluster"
FINALIZER = "vks.verda/managedcluster"
#: Seconds between looks into a cluster whose add-ons are not up: nobody tells us.
ADD_ONS_POLL = 1.0


class ManagedClusterReconciler:
    """Reconciles the clusters of one region, whichever provisioner serves them."""

    def __init__(self, manager: Manager, caches: Caches, region: RegionConfig) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._caches = caches
        self._region = region
        self._manifests = ManifestApplier(manager.client, NAME, manager.clock)
        self._status = Applier(manager.client, NAME)
        self._workloads = Workloads(manager.client)
        self._stores: dict[type[KubeObject], Store[Any]] = {
            VerdaCluster: caches.verda_clusters,
            KubeadmControlPlane: caches.control_planes,
            Cluster: caches.clusters,
            LegacyCluster: caches.legacy_clusters,
        }

    async def reconcile(self, key: Key) -> Result:
        cluster = self._caches.managed_clusters.get(key)
        if cluster is None:
            await self._workloads.forget(key)
            return DONE
        seen = observe(self._caches, key)
        if cluster.deleting:
            return await self._delete(cluster, seen)
        cluster = await add_finalizer(self._client, cluster, FINALIZER)
        cluster = await self._fill_bootstrap(cluster)
        await self._make_initial_pools(cluster)
        await self._apply(cluster, seen)
        addons = await self._addons(cluster, seen)
        await self._report(cluster, seen, addons)
        waits = seen.control_plane_initialized and not addons[0]
        return Result(requeue_after=ADD_ONS_POLL) if waits else DONE

    async def _fill_bootstrap(self, cluster: ManagedCluster) -> ManagedCluster:
        """Writes the region's settings down once: later edits must not roll machines."""
        if cluster.spec.bootstrap is not None:
            return cluster
        patch = {
            "metadata": {"resourceVersion": cluster.metadata.resource_version},
            "spec": {"bootstrap": plain(self._region.bootstrap)},
        }
        return await self._client.merge_patch(
            ManagedCluster,
            cluster.metadata.name,
            cluster.metadata.namespace,
            patch,
            field_manager=NAME,
        )

    async def _make_initial_pools(self, cluster: ManagedCluster) -> None:
        """Makes the pools that were asked for with the cluster, then forgets the request."""
        text = cluster.metadata.annotations.get(INITIAL_POOLS_ANNOTATION)
        if text is None:
            return
        for spec in msgspec.json.decode(text, type=list[NodePoolSpec]):
            body = {
                "metadata": {
                    "name": nodepool_name(cluster.metadata.name, spec.pool_name),
                    "namespace": cluster.metadata.namespace,
                    "labels": labels_of(cluster),
                },
                "spec": plain(spec),
            }
            try:
                await self._client.create(NodePool, owned(body, cluster), field_manager=NAME)
            except AlreadyExists:
                continue  # made before this process, or its predecessor, could forget it
        # No `test` of the text by JSON patch: the server compares it as written, and it writes
        # `<` in another way than we do.
        patch = {
            "metadata": {
                "resourceVersion": cluster.metadata.resource_version,
                "annotations": {INITIAL_POOLS_ANNOTATION: None},
            }
        }
        meta = cluster.metadata
        await self._client.merge_patch(ManagedCluster, meta.name, meta.namespace, patch)

    async def _apply(self, cluster: ManagedCluster, seen: Observed) -> None:
        for manifest in self._manifests_of(cluster, seen):
            await self._manifests.apply(manifest, self._stores.get(manifest.model))

    def _manifests_of(self, cluster: ManagedCluster, seen: Observed) -> list[Manifest]:
        if cluster.spec.provisioner == "legacy":
            return legacy_manifests(
                cluster,
                seen.pools,
                seen.legacy,
                pause_control_plane=pauses_control_plane(seen),
                paused_pools={p.spec.pool_name for p in seen.pools if pauses_pool(cluster, p)},
            )
        manifests = cluster_manifests(
            cluster, self._region.zones, pause_control_plane=pauses_control_plane(seen)
        )
        if seen.endpoint is not None:
            manifests += addon_manifests(cluster, seen.endpoint)
        return manifests

    async def _addons(self, cluster: ManagedCluster, seen: Observed) -> tuple[bool, str]:
        """Once up they stay up as far as this controller is concerned: their health is the
        business of whoever runs the cluster."""
        known = find_condition(cluster.status.conditions, ADD_ONS_READY)
        if known is not None and known.status == "True":
            return True, known.message
        if cluster.spec.network.cni == "none":
            return True, "the pod network is the user's"
        if not seen.control_plane_initialized:
            return False, "the control plane is not initialized"
        return await self._workloads.dns(cluster.key)

    async def _report(
        self, cluster: ManagedCluster, seen: Observed, addons: tuple[bool, str]
    ) -> None:
        body = {
            "metadata": {"name": cluster.metadata.name, "namespace": cluster.metadata.namespace},
            "status": status_of(cluster, seen, addons, self._clock.now()),
        }
        await self._status.apply(ManagedCluster, body, observed=cluster, subresource="status")

    async def _delete(self, cluster: ManagedCluster, seen: Observed) -> Result:
        """The provisioner takes machines, control plane and infrastructure apart in its order, for
        as long as there is a Cluster; what a crash left without one goes afterwards."""
        await self._workloads.forget(cluster.key)
        known = find_condition(cluster.status.conditions, ADD_ONS_READY)
        addons = (known is not None and known.status == "True", known.message if known else "")
        await self._report(cluster, seen, addons)
        for pool in seen.pools:
            await _delete(self._client, pool)
        if seen.root is not None:
            await _delete(self._client, seen.root)
            return DONE
        if seen.remaining():
            parts = (*seen.deployments, seen.control_plane, seen.infrastructure, seen.former)
            for left in parts:
                if left is not None:
                    await _delete(self._client, left)
            return DONE
        try:
            await remove_finalizer(self._client, cluster, FINALIZER)
        except NotFound:
            return DONE
        return DONE


async def _delete(client: Client, obj: KubeObject) -> None:
    if not obj.deleting:
        meta = obj.metadata
        await client.delete(type(obj), meta.name, meta.namespace, uid=meta.uid)


def _comes_or_goes(change: Change[Any]) -> bool:
    """Machines matter here only for the deletion, which waits for the last one."""
    return change.old is None or change.new is None


def _network_changes(change: Change[VerdaMachine]) -> bool:
    """It comes or goes, or its node gets the network that it waits for."""
    if change.old is None or change.new is None:
        return True
    old, new = change.old.node_health, change.new.node_health
    return (old and old.reason) != (new and new.reason)


def setup(manager: Manager, caches: Caches, region: RegionConfig) -> Controller:
    reconciler = ManagedClusterReconciler(manager, caches, region)
    controller = Controller(
        "managedcluster",
        reconciler.reconcile,
        workers=10,
        watches=[
            Watch(ManagedCluster),
            Watch(NodePool, cluster_keys),
            Watch(Cluster, cluster_keys),
            Watch(LegacyCluster, cluster_keys),
            Watch(LegacyNode, cluster_keys, predicate=_comes_or_goes),
            Watch(VerdaCluster, cluster_keys),
            Watch(KubeadmControlPlane, cluster_keys),
            Watch(Machine, cluster_keys, predicate=_comes_or_goes),
            Watch(VerdaMachine, cluster_keys, predicate=_network_changes),
        ],
    )
    manager.add(controller)
    return controller
