"""Looking into a workload cluster with the credentials that Cluster API made for it."""

from __future__ import annotations

import base64
from typing import ClassVar

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.errors import ApiError, NotFound
from vks.kube.objects import Key, KubeObject, KubeStruct, Resource
from vks.resources.core import Secret


class DeploymentStatus(KubeStruct, frozen=True, kw_only=True):
    replicas: int = 0
    ready_replicas: int = 0


class Deployment(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource("apps", "v1", "Deployment", "deployments")
    status: DeploymentStatus = DeploymentStatus()


class Workloads:
    """One client per cluster, replaced when the cluster's credentials are."""

    def __init__(self, management: Client) -> None:
        self._management = management
        self._clients: dict[Key, tuple[str, Client]] = {}

    async def dns(self, cluster: Key) -> tuple[bool, str]:
        """Whether all replicas of cluster DNS are ready, else what is missing."""
        try:
            client = await self.client(cluster)
            coredns = await client.get(Deployment, "coredns", "kube-system")
        except NotFound as error:
            return False, error.message
        except ApiError as error:
            return False, f"the cluster's API does not answer: {error.reason}"
        status = coredns.status
        ready = 0 < status.replicas == status.ready_replicas
        return ready, f"CoreDNS: {status.ready_replicas}/{status.replicas} ready"

    async def forget(self, cluster: Key) -> None:
        """Closes the connections to a cluster that goes away."""
        known = self._clients.pop(cluster, None)
        if known is not None:
            await known[1].close()

    async def close(self) -> None:
        for cluster in [*self._clients]:
            await self.forget(cluster)

    async def client(self, cluster: Key) -> Client:
        """Raises ApiError: NotFound before Cluster API has made the credentials."""
        secret = await self._management.get(Secret, f"{cluster.name}-kubeconfig", cluster.namespace)
        version = secret.metadata.resource_version
        known = self._clients.get(cluster)
        if known is not None and known[0] == version:
            return known[1]
        await self.forget(cluster)
        config = ClientConfig.from_kubeconfig(base64.b64decode(secret.data["value"]))
        client = Client(config, user_agent="vks-controllers", timeout=5.0)
        self._clients[cluster] = (version, client)
        return client
