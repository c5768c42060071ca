"""The upgrade controller: takes one step at a time, whenever something changed."""

from __future__ import annotations

from typing import Any

import msgspec

from vks.kube.objects import Key
from vks.resources.clusterapi import KubeadmControlPlane, Machine
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import UPGRADED_FROM_ANNOTATION, NodePool
from vks.runtime.controller import Controller
from vks.runtime.informer import Change
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.runtime.watches import Watch
from vks.service.caches import Caches, cluster_keys
from vks.service.managedcluster.observe import observe
from vks.service.upgrade.decide import MovePool, Origin, RestoreControlPlane, decide

NAME = "vks-upgrade"


class UpgradeReconciler:
    def __init__(self, manager: Manager, caches: Caches) -> None:
        self._client = manager.client
        self._caches = caches
        self._recorder = manager.recorder(NAME)

    async def reconcile(self, key: Key) -> Result:
        """Every write is conditional on what was seen: a stale look changes nothing."""
        match decide(observe(self._caches, key)):
            case MovePool() as move:
                await self._move(move)
            case RestoreControlPlane() as restore:
                await self._restore(restore)
            case None:
                pass
        return DONE

    async def _move(self, move: MovePool) -> None:
        meta, spec = move.pool.metadata, move.pool.spec
        origin = Origin(version=spec.version or "", image=spec.image)
        patch = {
            "metadata": {
                "resourceVersion": meta.resource_version,
                "annotations": {UPGRADED_FROM_ANNOTATION: msgspec.json.encode(origin).decode()},
            },
            "spec": {"version": move.version, "image": move.image},
        }
        await self._client.merge_patch(
            NodePool, meta.name, meta.namespace, patch, field_manager=NAME
        )
        note = f"node pool {spec.pool_name} goes from {spec.version} to {move.version}"
        self._recorder.event(move.pool, "Normal", "UpgradingNodePool", note, action="Upgrade")

    async def _restore(self, restore: RestoreControlPlane) -> None:
        meta = restore.cluster.metadata
        spec = {"version": restore.version, "controlPlane": {"image": restore.image}}
        patch = {"metadata": {"resourceVersion": meta.resource_version}, "spec": spec}
        await self._client.merge_patch(
            ManagedCluster, meta.name, meta.namespace, patch, field_manager=NAME
        )


def _comes_goes_or_leaves(change: Change[Any]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or old.deleting != new.deleting


def setup(manager: Manager, caches: Caches) -> Controller:
    controller = Controller(
        "upgrade",
        UpgradeReconciler(manager, caches).reconcile,
        workers=5,
        watches=[
            Watch(ManagedCluster),
            Watch(NodePool, cluster_keys),
            Watch(KubeadmControlPlane, cluster_keys),
            Watch(Machine, cluster_keys, predicate=_comes_goes_or_leaves),
            Watch(LegacyCluster, cluster_keys),
            Watch(LegacyNode, cluster_keys, predicate=_comes_goes_or_leaves),
        ],
    )
    manager.add(controller)
    return controller
