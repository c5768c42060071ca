"""The LegacyCluster goes last: with it go its keys, and whatever it still says of the cluster."""

from __future__ import annotations

from vks.migration.adopt.release import release, require_released
from vks.migration.run.scope import Scope
from vks.resources.legacycluster import LegacyCluster
from vks.runtime.result import Waiting

POLL = 1.0


class NoNodesLeft:
    """Nothing is finalized that is not converted."""

    name = "NoNodesLeft"

    async def do(self, scope: Scope) -> None:
        if scope.nodes:
            names = ", ".join(node.metadata.name for node in scope.nodes)
            raise Waiting("LegacyNodesLeft", names, POLL)

    async def undo(self, scope: Scope) -> None:
        """Nothing: there is no way back."""


class Farewell:
    """Its network and its load balancer stay."""

    name = "Farewell"

    async def do(self, scope: Scope) -> None:
        cluster = scope.cluster
        if cluster.spec.release != "Everything":
            await release(scope.client, cluster, "Everything")
            raise Waiting("ReleaseRequested", "the legacy provisioner gives everything away", POLL)
        require_released(cluster)
        meta = cluster.metadata
        await scope.client.delete(LegacyCluster, meta.name, meta.namespace, uid=meta.uid)
        raise Waiting("LegacyClusterGoes", "the LegacyCluster is being deleted", POLL)

    async def undo(self, scope: Scope) -> None:
        """Nothing: there is no way back."""
