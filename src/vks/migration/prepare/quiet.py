"""Nothing is changed while somebody else changes the cluster's machines.

The API refuses to from a migration's start on; a request that it had admitted just before is the
one that is waited for here.
"""

from __future__ import annotations

from vks.kube.client import Client
from vks.migration.run.scope import Scope
from vks.resources.managedcluster import CLUSTER_LABEL
from vks.resources.operation import Operation, holders
from vks.runtime.result import Waiting

POLL = 1.0


class Quiet:
    """Nothing to take back."""

    name = "Quiet"

    async def do(self, scope: Scope) -> None:
        running = await operations_of(scope.client, scope.namespace, scope.name)
        if running:
            raise Waiting("OperationUnderWay", ", ".join(running), POLL)

    async def undo(self, scope: Scope) -> None:
        """Nothing by itself."""


async def operations_of(client: Client, namespace: str, cluster: str) -> list[str]:
    """Those that make, replace or remove machines now, as TYPE NAME. Raises ApiError."""
    selector = f"{CLUSTER_LABEL}={cluster}"
    found = await client.list(Operation, namespace, label_selector=selector)
    return holders(found.items)
