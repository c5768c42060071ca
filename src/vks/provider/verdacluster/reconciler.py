"""Reconciles VerdaClusters: gates of the contract, the phases side by side, status."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet
from vks.kube.errors import NotFound as ObjectNotFound
from vks.kube.finalizers import remove_finalizer
from vks.kube.objects import Key
from vks.provider.conditions import (
    CLUSTER_CONDITIONS,
    DELETING,
    LOAD_BALANCER_READY,
    NETWORK_READY,
    SERVER_GROUPS_READY,
)
from vks.provider.ownership import CLUSTER_FINALIZER, claim, owner_grace
from vks.provider.stores import Stores, cluster_name
from vks.provider.verdacluster.delete import delete_all
from vks.provider.verdacluster.identity import keep_identity, let_go_of_identity
from vks.provider.verdacluster.loadbalancer import ensure_load_balancer
from vks.provider.verdacluster.scope import Scope
from vks.provider.verdacluster.servergroups import ensure_server_groups
from vks.provider.verdacluster.settled import VERIFY, Settled
from vks.provider.verdacluster.status import (
    PHASES,
    Outcome,
    decide_status,
    endpoint_of,
    status_body,
)
from vks.resources.clusterapi import Cluster
from vks.resources.contract import (
    MANAGED_BY_ANNOTATION,
    PAUSED,
    PAUSED_ANNOTATION,
    READY,
)
from vks.resources.verdacluster import NetworkStatus, VerdaCluster, VerdaClusterStatus
from vks.resources.verdaport import VerdaPortPool
from vks.runtime.clock import Clock
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.apibalancer import API_PORT
from vks.verda.clusternetwork import Wanted, ensure_network
from vks.verda.errors import CloudError
from vks.verda.failures import Failure, after, reason_of
from vks.verda.pace import urgent

FIELD_MANAGER = "vks-verdacluster"
T = TypeVar("T")
log = structlog.get_logger(__name__)


class ClusterReconciler:
    def __init__(
        self,
        client: Client,
        stores: Stores,
        accounts: Accounts,
        clock: Clock,
    ) -> None:
        self._client = client
        self._stores = stores
        self._accounts = accounts
        self._clock = clock
        self._applier = Applier(client, FIELD_MANAGER)
        self._settled = Settled(clock)

    async def reconcile(self, key: Key) -> Result:
        cluster = self._stores.verda_clusters.get(key)
        if cluster is None or MANAGED_BY_ANNOTATION in cluster.metadata.annotations:
            return DONE
        owner = self._stores.owner_cluster(cluster)
        conditions = ConditionSet(
            cluster.status.conditions,
            CLUSTER_CONDITIONS,
            now=self._clock.now(),
            generation=cluster.metadata.generation,
        )
        if owner is None and not cluster.deleting:
            if (left := owner_grace(cluster, self._clock)) > 0:
                return Result(left)
            conditions.set(READY, False, "WaitingForOwner", "no Cluster owns this object yet")
            return await self._publish(cluster, cluster.status, conditions, DONE)
        if _paused(cluster, owner):
            conditions.set(PAUSED, True, "Paused")
            return await self._publish(cluster, cluster.status, conditions, DONE)
        conditions.set(PAUSED, False, "NotPaused")
        if cluster.deleting:
            return await self._delete(cluster, owner or Cluster(), conditions)
        return await self._provision(cluster, owner or Cluster(), conditions)

    async def _provision(
        self, cluster: VerdaCluster, owner: Cluster, conditions: ConditionSet
    ) -> Result:
        cluster = await claim(self._client, cluster, CLUSTER_FINALIZER)
        fresh = self._still_verified(cluster, conditions)
        if fresh is not None:
            return await self._publish(cluster, cluster.status, conditions, Result(fresh))
        try:
            scope = Scope(cluster, owner, await self._accounts.of(cluster))
            await keep_identity(self._client, cluster)
        except Waiting as waiting:
            conditions.set(READY, False, waiting.reason, waiting.message)
            return await self._publish(cluster, cluster.status, conditions, Result(waiting.poll))
        network, groups, balancer = await asyncio.gather(
            self._outcome(cluster, NETWORK_READY, lambda: _ensure_network(scope)),
            self._outcome(cluster, SERVER_GROUPS_READY, lambda: ensure_server_groups(scope)),
            self._outcome(cluster, LOAD_BALANCER_READY, lambda: ensure_load_balancer(scope)),
        )
        outcome = Outcome(network, groups, balancer)
        conditions.observe(await self._publish_endpoint(cluster, outcome))
        status = decide_status(cluster, outcome, conditions)
        result = after(outcome.failures) if outcome.failures else Result(VERIFY)
        return await self._publish(cluster, status, conditions, result)

    async def _outcome(
        self, cluster: VerdaCluster, phase: str, ensure: Callable[[], Awaitable[T]]
    ) -> T | Failure:
        """What the phase comes to. One that was through moments ago is not asked again because
        another one waits; but when one fails, that may be for what another had made."""
        known: T | None = self._settled.get(cluster, phase)
        if known is not None:
            return known
        try:
            found = await ensure()
        except Waiting as waiting:
            return waiting
        except CloudError as error:
            self._settled.forget(cluster)
            return error
        self._settled.note(cluster, phase, found)
        return found

    async def _delete(
        self, cluster: VerdaCluster, owner: Cluster, conditions: ConditionSet
    ) -> Result:
        self._settled.forget(cluster)
        if CLUSTER_FINALIZER not in cluster.metadata.finalizers:
            return DONE
        conditions.set(READY, False, "Deleting")
        try:
            self._require_no_machines(cluster)
            if cluster.spec.deletion_policy == "Delete":
                await self._delete_port_pools(cluster, owner)
                with urgent():
                    await delete_all(Scope(cluster, owner, await self._accounts.of(cluster)))
        except (Waiting, CloudError) as failure:
            conditions.set(DELETING, True, *reason_of(failure))
            return await self._publish(cluster, cluster.status, conditions, after([failure]))
        await let_go_of_identity(self._client, cluster)
        with suppress(ObjectNotFound):
            await remove_finalizer(self._client, cluster, CLUSTER_FINALIZER)
        log.info("cluster deleted", cluster=str(cluster.key))
        return DONE

    def _require_no_machines(self, cluster: VerdaCluster) -> None:
        machines = self._stores.machines_of(cluster.metadata.namespace, cluster_name(cluster))
        left = [machine.metadata.name for machine in machines]
        if left:
            raise Waiting("WaitingForMachines", f"machines left: {', '.join(sorted(left))}")

    async def _delete_port_pools(self, cluster: VerdaCluster, owner: Cluster) -> None:
        """Reserved ports would hold the network, and need the cluster's credential to go."""
        name = owner.metadata.name or cluster_name(cluster)
        left = [
            pool
            for pool in self._stores.port_pools.list(cluster.metadata.namespace)
            if pool.spec.cluster_name == name
        ]
        for pool in left:
            meta = pool.metadata
            if not pool.deleting:
                await self._client.delete(VerdaPortPool, meta.name, meta.namespace, uid=meta.uid)
        if left:
            names = ", ".join(sorted(pool.metadata.name for pool in left))
            raise Waiting("WaitingForPortPools", f"port pools left: {names}")

    def _still_verified(self, cluster: VerdaCluster, conditions: ConditionSet) -> float | None:
        """Seconds until a provisioned, unchanged cluster is compared with the cloud again."""
        return self._settled.left(cluster, PHASES) if conditions.is_true(READY) else None

    async def _publish_endpoint(self, cluster: VerdaCluster, outcome: Outcome) -> int:
        """The generation of what is there then."""
        before = cluster.metadata.generation
        endpoint = endpoint_of(cluster, outcome, API_PORT)
        if endpoint is None or endpoint == cluster.spec.control_plane_endpoint:
            return before
        body = {
            "metadata": {"name": cluster.metadata.name, "namespace": cluster.metadata.namespace},
            "spec": {"controlPlaneEndpoint": {"host": endpoint.host, "port": endpoint.port}},
        }
        written = await self._applier.apply(VerdaCluster, body)
        if written is None or written.metadata.generation != before + 1:
            return before  # somebody changed something else: it is looked at with the next event
        self._settled.observe(cluster, written.metadata.generation)
        return written.metadata.generation

    async def _publish(
        self,
        cluster: VerdaCluster,
        status: VerdaClusterStatus,
        conditions: ConditionSet,
        result: Result,
    ) -> Result:
        body = {
            "metadata": {"name": cluster.metadata.name, "namespace": cluster.metadata.namespace},
            "status": status_body(status, conditions),
        }
        await self._applier.apply(VerdaCluster, body, observed=cluster, subresource="status")
        return result


async def _ensure_network(scope: Scope) -> NetworkStatus:
    network = scope.cluster.spec.network
    wanted = Wanted(scope.owner, scope.name, network.network_id, network.cidr, scope.pod_cidrs)
    return await ensure_network(scope.account.cloud.network, wanted)


def _paused(cluster: VerdaCluster, owner: Cluster | None) -> bool:
    return PAUSED_ANNOTATION in cluster.metadata.annotations or bool(owner and owner.spec.paused)
