"""Cluster API looks at the control plane when it knows every node of it.

The control plane provider removes etcd members whose machines it does not find: each control plane
has to be known by its node first. A worker that has no node is repaired as any other.
"""

from __future__ import annotations

from vks.migration.adopt.handover import hold, managed_cluster
from vks.migration.adopt.observe import machines_of
from vks.migration.run.scope import Scope
from vks.resources.clusterapi import Cluster
from vks.runtime.result import Waiting

POLL = 1.0


class Resume:
    """The way back is that of the keys."""

    name = "Resume"

    async def do(self, scope: Scope) -> None:
        managed = await managed_cluster(scope)
        if managed.spec.inherited is None or managed.spec.inherited.on_hold != "ControlPlane":
            return
        await _require_nodes(scope)
        await hold(scope, None)

    async def undo(self, scope: Scope) -> None:
        """Nothing by itself."""


async def _require_nodes(scope: Scope) -> None:
    root = await scope.client.get(Cluster, scope.name, scope.namespace)
    if root.spec.paused or not root.status.initialization.infrastructure_provisioned:
        raise Waiting("WaitingForInfrastructure", "the VerdaCluster is not provisioned yet", POLL)
    machines = {machine.metadata.name: machine for machine in await machines_of(scope)}
    missing = sorted(
        node.metadata.name
        for node in scope.control_planes
        if (machine := machines.get(node.metadata.name)) is None
        or machine.status.node_ref is None
        or machine.status.node_ref.name != node.metadata.name
    )
    if missing:
        raise Waiting("WaitingForNodes", f"machines without a node: {', '.join(missing)}", POLL)
