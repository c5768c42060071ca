"""Who says how many machines a MachineDeployment has: this service or the autoscaler.

Under server-side apply, leaving `spec.replicas` out gives it up, and a field that nobody holds is
removed. So before this controller stops saying it, the present value is put into other hands;
the autoscaler, which writes the scale subresource, takes it from there.
"""

from __future__ import annotations

from typing import Any

from vks.kube.client import Client
from vks.resources.clusterapi import MachineDeployment

#: Holds `spec.replicas` between this service's last word and the autoscaler's first.
KEEPER = "vks-nodepool-replicas"


class ReplicasHandover:
    """Remembers per object what it has seen to, so that it looks once in a process's life."""

    def __init__(self, client: Client, field_manager: str) -> None:
        self._client = client
        self._manager = field_manager
        self._released: set[str] = set()

    async def release(self, deployment: MachineDeployment) -> None:
        """After this, `field_manager` may leave `spec.replicas` out. Raises ApiError: Conflict
        when the autoscaler was faster, and the value that would be kept is an old one."""
        meta = deployment.metadata
        if meta.uid in self._released:
            return
        found = await self._client.get(MachineDeployment.resource, meta.name, meta.namespace)
        if holds_replicas(found["metadata"].get("managedFields", []), self._manager):
            kept = {
                "metadata": {
                    "name": meta.name,
                    "namespace": meta.namespace,
                    "resourceVersion": found["metadata"]["resourceVersion"],
                },
                "spec": {"replicas": found["spec"]["replicas"]},
            }
            await self._client.apply(MachineDeployment, kept, field_manager=KEEPER)
        self._released.add(meta.uid)

    def reclaimed(self, deployment: MachineDeployment) -> None:
        """`field_manager` says the number again."""
        self._released.discard(deployment.metadata.uid)


def holds_replicas(managed_fields: list[dict[str, Any]], manager: str) -> bool:
    """Whether the manager has applied `spec.replicas`."""
    return any(
        entry.get("manager") == manager
        and entry.get("operation") == "Apply"
        and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in managed_fields
    )
