"""The Operation controller: writes progress, and forgets what finished long ago."""

from __future__ import annotations

from datetime import datetime, timedelta

from vks.kube.apply import Applier
from vks.kube.errors import NotFound
from vks.kube.objects import Key, KubeObject
from vks.kube.times import rfc3339
from vks.resources.clusterapi import Cluster, KubeadmControlPlane, Machine, MachineDeployment
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.controller import Controller
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.runtime.watches import Watch
from vks.service.caches import Caches, cluster_keys, of_cluster
from vks.service.config import Retention
from vks.service.managedcluster.observe import observe
from vks.service.nodeaction.executor import TYPES, NodeActions
from vks.service.operation.steps import DELETED, progress_of, status_of

NAME = "vks-operation"
#: Seconds after which a look at what a cache does not show yet is repeated.
_AGAIN = 0.2


class OperationReconciler:
    def __init__(self, manager: Manager, caches: Caches, retention: Retention) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._caches = caches
        self._retention = retention
        self._status = Applier(manager.client, NAME)
        self._nodes = NodeActions(manager.client)

    async def reconcile(self, key: Key) -> Result:
        operation = self._caches.operations.get(key)
        if operation is None or operation.deleting:
            return DONE
        now = self._clock.now()
        if operation.status.finished is not None:
            return await self._expire(operation, now)
        seen = observe(self._caches, Key(key.namespace, operation.spec.cluster_name))
        if operation.spec.type in TYPES:
            progress, again = await self._nodes.advance(operation, seen, now)
        else:
            progress, again = progress_of(operation, seen), None
            gone = progress.error is not None and progress.error.code == DELETED
            if gone and await self._is_there(operation):
                return Result(requeue_after=_AGAIN)
        body = {
            "metadata": {"name": key.name, "namespace": key.namespace},
            "status": status_of(operation, progress, rfc3339(now)),
        }
        await self._status.apply(Operation, body, observed=operation, subresource="status")
        return Result(requeue_after=again)

    async def _is_there(self, operation: Operation) -> bool:
        """Asks the API server: what a cache does not show may be on its way there, and an operation
        that has failed has failed for good."""
        target, namespace = operation.spec.target, operation.metadata.namespace
        model = ManagedCluster if target.kind == "ManagedCluster" else NodePool
        try:
            found: KubeObject = await self._client.get(model, target.name, namespace)
        except NotFound:
            return False
        return found.metadata.uid == target.uid and not found.deleting

    async def _expire(self, operation: Operation, now: datetime) -> Result:
        """Keeps the newest operations of a cluster, for as long as the configuration says."""
        key = Key(operation.metadata.namespace, operation.spec.cluster_name)
        finished = sorted(
            (other.status.finished or "", other.metadata.name)
            for other in of_cluster(self._caches.operations, key)
            if other.status.finished is not None
        )
        ended = datetime.fromisoformat(operation.status.finished or rfc3339(now))
        expires = ended + timedelta(days=self._retention.days)
        kept = {name for _, name in finished[-self._retention.count :]}
        if operation.metadata.name in kept and now < expires:
            return Result(requeue_after=(expires - now).total_seconds())
        await self._client.delete(
            Operation, operation.metadata.name, key.namespace, uid=operation.metadata.uid
        )
        return DONE


def setup(manager: Manager, caches: Caches, retention: Retention) -> Controller:
    reconciler = OperationReconciler(manager, caches, retention)

    def unfinished(obj: KubeObject) -> list[Key]:
        return [
            operation.key
            for key in cluster_keys(obj)
            for operation in of_cluster(caches.operations, key)
            if operation.status.finished is None
        ]

    kinds: list[type[KubeObject]] = [
        ManagedCluster,
        NodePool,
        Cluster,
        VerdaCluster,
        KubeadmControlPlane,
        MachineDeployment,
        Machine,
        VerdaMachine,
        LegacyCluster,
        LegacyNode,
    ]
    controller = Controller(
        "operation",
        reconciler.reconcile,
        workers=5,
        watches=[Watch(Operation), *(Watch(kind, unfinished) for kind in kinds)],
    )
    manager.add(controller)
    return controller
