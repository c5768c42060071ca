"""What steps see and act on."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import msgspec

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.errors import NotFound
from vks.resources.clustermigration import ClusterMigration
from vks.resources.core import Secret
from vks.resources.legacycluster import LegacyCluster, kubeconfig_name
from vks.resources.legacynode import LegacyNode, NodePreparation
from vks.runtime.clock import Clock
from vks.runtime.result import Waiting
from vks.verda.accounts import Account
from vks.verda.apibalancer import ApiBalancer

FIELD_MANAGER = "vks-migration"
#: Seconds within which the cluster's own API has to answer.
_TIMEOUT = 10.0


class Scope:
    """One look at a migration. A context manager: it closes what `workload` opened."""

    def __init__(
        self,
        client: Client,
        migration: ClusterMigration,
        cluster: LegacyCluster,
        nodes: list[LegacyNode],
        account: Account,
        clock: Clock,
    ) -> None:
        """`client` is the management cluster's; `nodes` are all that do not leave, by name."""
        self.client = client
        self.migration = migration
        self.cluster = cluster
        self.nodes = nodes
        self.account = account
        self.cloud = account.cloud
        self.clock = clock
        self.progress: dict[str, str] = {}
        self.balancer: ApiBalancer | None = None  # once it was asked for
        self._workload: Client | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    @property
    def name(self) -> str:
        return self.cluster.metadata.name

    @property
    def namespace(self) -> str:
        return self.cluster.metadata.namespace

    @property
    def control_planes(self) -> list[LegacyNode]:
        return [node for node in self.nodes if node.is_control_plane]

    async def secret(self, name: str) -> Mapping[str, bytes]:
        """A Secret's data. Raises Waiting when it does not exist, ApiError."""
        try:
            found = await self.client.get(Secret, name, self.namespace)
        except NotFound:
            raise Waiting("SecretMissing", f"Secret {name} does not exist", 5.0) from None
        return {key: base64.b64decode(value) for key, value in found.data.items()}

    async def workload(self) -> Client:
        """The cluster's own API. Raises Waiting without a kubeconfig, ApiError."""
        if self._workload is None:
            secret = await self.secret(kubeconfig_name(self.name))
            config = ClientConfig.from_kubeconfig(secret["value"])
            client = Client(config, user_agent=FIELD_MANAGER, timeout=_TIMEOUT)
            self._workload = await self._open.enter_async_context(client)
        return self._workload

    async def prepare(self, node: LegacyNode, preparation: Mapping[str, Any]) -> None:
        """Ask the legacy provisioner for that, and for nothing else, of the node. Whatever a node
        was born with is taken away as well: no field is another manager's."""
        nothing = {field.encode_name: None for field in msgspec.structs.fields(NodePreparation)}
        patch = {
            "metadata": {"uid": node.metadata.uid},
            "spec": {"preparation": {**nothing, **preparation}},
        }
        await self.client.merge_patch(
            LegacyNode, node.metadata.name, self.namespace, patch, field_manager=FIELD_MANAGER
        )
