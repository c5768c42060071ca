"""The legacy provisioner lets go, and says so, before anybody else acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from vks.kube.client import Client
from vks.kube.objects import find_condition
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.contract import READY
from vks.resources.legacycluster import RELEASED, LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.runtime.result import Waiting

POLL = 1.0


class Release:
    """Of a cluster that is whole: nobody would finish what the provisioner is about to do. And
    back: it is in charge again, of a cluster that is well."""

    name = "Release"

    async def do(self, scope: Scope) -> None:
        if not scope.cluster.released:
            missing = unfinished(scope.cluster, scope.nodes)
            if missing:
                raise Waiting("WaitingForLegacy", missing, POLL)
            await release(scope.client, scope.cluster, "Control")
        require_released(scope.cluster)

    async def undo(self, scope: Scope) -> None:
        if scope.cluster.released:
            await release(scope.client, scope.cluster, None)
            raise Waiting("TakeBackRequested", "the legacy provisioner is to take over", POLL)
        objects: list[LegacyCluster | LegacyNode] = [scope.cluster, *scope.nodes]
        for obj in objects:
            released = find_condition(obj.status.conditions, RELEASED)
            if released is not None and released.status == "True":
                message = f"{obj.metadata.name} is not taken back yet"
                raise Waiting("WaitingForLegacy", message, POLL)
        missing = unfinished(scope.cluster, scope.nodes)
        if missing:
            raise Waiting("WaitingForLegacy", missing, POLL)


def unfinished(cluster: LegacyCluster, nodes: Sequence[LegacyNode]) -> str:
    """What the legacy provisioner is about to change; empty: nothing. `nodes` are all that stay."""
    pools = [zone.replicas for pool in cluster.spec.node_pools for zone in pool.zones]
    wanted = cluster.spec.control_plane.replicas + sum(pools)
    if len(nodes) != wanted:
        return f"{wanted} nodes are wanted, there are {len(nodes)}"
    objects: list[LegacyCluster | LegacyNode] = [cluster, *nodes]
    for obj in objects:
        ready = find_condition(obj.status.conditions, READY)
        if ready is None or ready.status != "True":
            return f"{obj.metadata.name} is not ready: {ready.message if ready else ''}"
    return ""


async def release(
    client: Client, cluster: LegacyCluster, how: Literal["Control", "Everything"] | None
) -> None:
    """Ask for it. Raises ApiError."""
    meta = cluster.metadata
    patch = {"metadata": {"uid": meta.uid}, "spec": {"release": how}}
    await client.merge_patch(
        LegacyCluster, meta.name, meta.namespace, patch, field_manager=FIELD_MANAGER
    )


def require_released(cluster: LegacyCluster) -> None:
    """Raises Waiting until the release that is asked for now is acknowledged."""
    condition = find_condition(cluster.status.conditions, RELEASED)
    known = condition is not None and condition.observed_generation >= cluster.metadata.generation
    if condition is None or not known or condition.status != "True" or not cluster.released:
        message = condition.message if condition is not None else ""
        raise Waiting("WaitingForRelease", message or "the legacy provisioner lets go", POLL)
