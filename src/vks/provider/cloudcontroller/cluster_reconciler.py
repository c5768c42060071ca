"""Per cluster: follow its API server as soon as it answers, and keep the pod routes."""

from __future__ import annotations

import base64
import binascii

import structlog

from vks.kube.client import Client
from vks.kube.config import ClientConfig, KubeconfigError
from vks.kube.errors import ApiError
from vks.kube.errors import NotFound as ObjectNotFound
from vks.kube.objects import Key
from vks.provider.stores import Stores
from vks.resources.clusterapi import Cluster
from vks.resources.contract import PAUSED_ANNOTATION
from vks.resources.core import Node, Secret
from vks.resources.verdacluster import VerdaCluster
from vks.runtime.clock import Clock
from vks.runtime.clusters import ClusterSet, RemoteCluster
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError, QuotaExceeded
from vks.verda.failures import after
from vks.verda.network import Route
from vks.verda.routes import desired_routes, route_change

#: Seconds between attempts to reach an API server that is coming up; a refused connection through
#: the load balancer is cheap, and the first answer starts everything else.
PROBE = 0.5
#: The same for one that has not answered for PATIENCE seconds.
PROBE_PATIENT = 10.0
PATIENCE = 300.0
PROBE_TIMEOUT = 3.0
#: For how many seconds of probing the credentials that were read are used.
TRUSTED = 10.0
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
        self._probing_since: dict[Key, float] = {}
        self._kubeconfigs: dict[Key, tuple[bytes, float]] = {}
        self._routes: dict[Key, tuple[list[Route], float]] = {}

    async def reconcile(self, key: Key) -> Result:
        cluster = self._stores.clusters.get(key)
        verda = self._stores.infrastructure_of(cluster)
        if cluster is None or verda is None or cluster.deleting:
            self._forget(key)
            return DONE
        if not cluster.status.initialization.infrastructure_provisioned:
            return DONE
        remote = self._remotes.get(key)
        if remote is None or not remote.reachable:
            waiting = await self._connect(key)
            if waiting is not None:
                return waiting
            return DONE  # the set tells us when its caches are filled
        self._probing_since.pop(key, None)
        if _paused(cluster, verda) or verda.spec.pod_routes == "Unmanaged":
            return DONE
        return await self._sync_routes(key, cluster, verda, remote)

    async def _connect(self, key: Key) -> Result | None:
        """Follow the cluster once its API server answers; until then, when to try again."""
        probing = self._remotes.get(key) is None
        kubeconfig = await self._kubeconfig(key, fresh=not probing)
        if kubeconfig is None:
            return Result(PROBE)
        if probing and not await _answers(kubeconfig):
            since = self._probing_since.setdefault(key, self._clock.monotonic())
            patient = self._clock.monotonic() - since > PATIENCE
            return Result(PROBE_PATIENT if patient else PROBE)
        try:
            self._remotes.set(key, kubeconfig)
        except KubeconfigError as error:
            log.warning("kubeconfig is not usable", cluster=str(key), error=str(error))
            return Result(PROBE_PATIENT)
        return None

    async def _kubeconfig(self, key: Key, *, fresh: bool) -> bytes | None:
        """Not `fresh`: as it was at most TRUSTED seconds ago, for probes follow each other fast."""
        now = self._clock.monotonic()
        known = self._kubeconfigs.get(key)
        if known is not None and not fresh and now - known[1] < TRUSTED:
            return known[0]
        try:
            secret = await self._client.get(Secret, f"{key.name}-kubeconfig", key.namespace)
            kubeconfig = base64.b64decode(secret.data["value"], validate=True)
        except (ObjectNotFound, KeyError, binascii.Error):
            return None
        self._kubeconfigs[key] = (kubeconfig, now)
        return kubeconfig

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

    def _forget(self, key: Key) -> None:
        self._remotes.remove(key)
        self._routes.pop(key, None)
        self._probing_since.pop(key, None)
        self._kubeconfigs.pop(key, None)


async def _answers(kubeconfig: bytes) -> bool:
    try:
        config = ClientConfig.from_kubeconfig(kubeconfig)
        async with Client(config, user_agent="vks-provider", timeout=PROBE_TIMEOUT) as client:
            await client.raw("GET", "/readyz/ping")
    except (ApiError, KubeconfigError):
        return False
    return True


def _paused(cluster: Cluster, verda: VerdaCluster) -> bool:
    return cluster.spec.paused or PAUSED_ANNOTATION in verda.metadata.annotations
