"""Per cluster: follow its API server as soon as it answers, and keep the pod routes."""

from __future__ import annotations

import structlog

from vks.kube.client import Client
from vks.kube.config import KubeconfigError
from vks.kube.objects import Key
from vks.provider.cloudcontroller.probing import PROBE_PATIENT, Probes, read_kubeconfig
from vks.provider.stores import Stores
from vks.resources.clusterapi import Cluster
from vks.resources.contract import CONTROL_PLANE_LABEL, PAUSED_ANNOTATION
from vks.resources.core import Node
from vks.resources.verdacluster import VerdaCluster
from vks.runtime.clock import Clock
from vks.runtime.clusters import ClusterSet, RemoteCluster
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError, QuotaExceeded
from vks.verda.failures import after
from vks.verda.network import Route
from vks.verda.routes import desired_routes, route_change

#: Seconds until routes are tried again for which the project has no quota.
NO_ROUTES = 60.0
#: How often the router's routes are compared although no node changed, in seconds.
VERIFY = 600.0

log = structlog.get_logger(__name__)


class ClusterFollower:
    def __init__(
        self,
        client: Client,
        stores: Stores,
        accounts: Accounts,
        remotes: ClusterSet,
        clock: Clock,
    ) -> None:
        self._client = client
        self._stores = stores
        self._accounts = accounts
        self._remotes = remotes
        self._clock = clock
        self._probes = Probes(client, remotes.connect, clock)
        self._routes: dict[Key, tuple[list[Route], float]] = {}

    async def reconcile(self, key: Key) -> Result:
        cluster = self._stores.clusters.get(key)
        verda = self._stores.infrastructure_of(cluster)
        if cluster is None or verda is None or cluster.deleting:
            await self._forget(key)
            return DONE
        if not cluster.status.initialization.infrastructure_provisioned:
            return DONE
        remote = self._remotes.get(key)
        if remote is None or not remote.reachable:
            try:
                return await self._connect(key, remote)
            except KubeconfigError as error:
                log.warning("kubeconfig is not usable", cluster=str(key), error=str(error))
                return Result(PROBE_PATIENT)
        if _paused(cluster, verda) or verda.spec.pod_routes == "Unmanaged":
            return DONE
        return await self._sync_routes(key, cluster, verda, remote)

    async def _connect(self, key: Key, remote: RemoteCluster | None) -> Result:
        """Follow the cluster once its API server answers; the set tells when its caches are
        filled, and when watches break, which other credentials may mend. Raises KubeconfigError."""
        if remote is None:
            answered = await self._probes.attempt(key, served=self._served(key))
            if answered is None:
                return Result(self._probes.pause(key))
            self._remotes.set(key, *answered)
        elif remote.error is not None:
            kubeconfig = await read_kubeconfig(self._client, key)
            if kubeconfig is None:
                return Result(PROBE_PATIENT)
            self._remotes.set(key, kubeconfig)
        return DONE

    def _served(self, key: Key) -> bool:
        """Whether a server runs that may be the API server's."""
        return any(
            CONTROL_PLANE_LABEL in machine.metadata.labels
            and machine.status.initialization.provisioned
            for machine in self._stores.machines_of(key.namespace, key.name)
        )

    async def _sync_routes(
        self, key: Key, cluster: Cluster, verda: VerdaCluster, remote: RemoteCluster
    ) -> Result:
        router_id = verda.status.network.router_id
        pod_cidrs = cluster.spec.cluster_network.pods.cidr_blocks
        if not router_id or not pod_cidrs or verda.deleting:
            return DONE
        wanted = desired_routes(remote.store(Node).list())
        known = self._routes.get(key)
        now = self._clock.monotonic()
        if known is not None and known[0] == wanted and now - known[1] < VERIFY:
            return Result(VERIFY)
        try:
            network = (await self._accounts.of(verda)).cloud.network
            router = await network.router(router_id)
            change = route_change(wanted, router.routes, pod_cidrs)
            if change.remove:
                await network.remove_routes(router_id, change.remove)
            if change.add:
                await network.add_routes(router_id, change.add)
        except (CloudError, Waiting) as failure:
            log.warning("routes cannot be programmed", cluster=str(key), error=str(failure))
            return Result(NO_ROUTES) if isinstance(failure, QuotaExceeded) else after([failure])
        self._routes[key] = (wanted, now)
        return Result(VERIFY)

    async def _forget(self, key: Key) -> None:
        self._remotes.remove(key)
        self._routes.pop(key, None)
        await self._probes.forget(key)


def _paused(cluster: Cluster, verda: VerdaCluster) -> bool:
    return cluster.spec.paused or PAUSED_ANNOTATION in verda.metadata.annotations
