"""The service makes Cluster API's objects of the cluster, all of them on hold."""

from __future__ import annotations

from vks.migration.adopt.inherited import inherited
from vks.migration.adopt.keys import endpoint_of
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.managedcluster import ManagedCluster
from vks.runtime.result import Waiting

POLL = 1.0


class HandOver:
    """And back: it makes none of them any more."""

    name = "HandOver"

    async def do(self, scope: Scope) -> None:
        managed = await managed_cluster(scope)
        if managed.spec.provisioner == "capi":
            return
        plan = scope.migration.status.plan
        if plan is None:
            raise Waiting("NoPlan", "the cluster has not been planned", POLL)
        endpoint = endpoint_of(scope)
        body = inherited(scope.cluster, scope.nodes, plan.arguments, plan.server_names, endpoint)
        await _change(scope, managed, {"provisioner": "capi", "inherited": body})

    async def undo(self, scope: Scope) -> None:
        managed = await managed_cluster(scope)
        if managed.spec.provisioner == "legacy" and managed.spec.inherited is None:
            return
        await _change(scope, managed, {"provisioner": "legacy", "inherited": None})


async def managed_cluster(scope: Scope) -> ManagedCluster:
    """Raises ApiError."""
    return await scope.client.get(ManagedCluster, scope.name, scope.namespace)


async def hold(scope: Scope, what: str | None) -> None:
    """Tell the service what Cluster API must not act upon. Raises ApiError."""
    patch = {"spec": {"inherited": {"onHold": what}}}
    await scope.client.merge_patch(
        ManagedCluster, scope.name, scope.namespace, patch, field_manager=FIELD_MANAGER
    )


async def _change(scope: Scope, managed: ManagedCluster, spec: dict[str, object]) -> None:
    meta = managed.metadata
    patch = {"metadata": {"resourceVersion": meta.resource_version}, "spec": spec}
    await scope.client.merge_patch(
        ManagedCluster, meta.name, meta.namespace, patch, field_manager=FIELD_MANAGER
    )
