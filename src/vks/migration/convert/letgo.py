"""Servers that Cluster API has decided upon are released, and forgotten when they are gone."""

from __future__ import annotations

from vks.kube.objects import find_condition
from vks.migration.adopt.observe import machines_of, selector
from vks.migration.convert.act import let_go
from vks.migration.convert.leaving import held, objection
from vks.migration.run.scope import Scope
from vks.resources.clustermigration import NODE_RELEASED, REPLACED
from vks.resources.legacycluster import RELEASED
from vks.resources.legacynode import LegacyNode
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.result import Waiting

POLL = 1.0


class LetGo:
    """From the moment at which Cluster API manages the cluster, whatever its reason is: a repair or
    a scale-down as well as a roll-out. Nothing to take back: what is gone is gone."""

    name = "LetGo"

    async def do(self, scope: Scope) -> None:
        machines = await machines_of(scope)
        await forget_gone(scope)
        for machine in held(machines):
            refusal = objection(machine, machines)
            if refusal:
                message = f"{machine.metadata.name} stays: {refusal}"
                raise Waiting("QuorumKept", message, POLL)
            scope.progress[machine.metadata.name] = NODE_RELEASED
            await let_go(scope.client, machine)
            raise Waiting("NodeReleased", machine.metadata.name, POLL)

    async def undo(self, scope: Scope) -> None:
        """Nothing by itself."""


async def forget_gone(scope: Scope) -> None:
    """LegacyNodes whose servers Cluster API has deleted. One that the legacy provisioner has made
    since, or has back, is not Cluster API's. Raises ApiError."""
    client, namespace = scope.client, scope.namespace
    machines = await machines_of(scope)
    servers = await client.list(VerdaMachine, namespace, label_selector=selector(scope))
    present = {obj.metadata.name for obj in (*machines, *servers.items)}
    for node in scope.nodes:
        name = node.metadata.name
        released = find_condition(node.status.conditions, RELEASED)
        if released is not None and released.status == "True" and name not in present:
            scope.progress[name] = REPLACED
            await client.delete(LegacyNode, name, namespace, uid=node.metadata.uid)
