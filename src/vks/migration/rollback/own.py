"""Which machines are Cluster API's own: not servers that were taken over and can be given back."""

from __future__ import annotations

from vks.kube.errors import NotFound
from vks.migration.adopt.machines import HOOK
from vks.migration.adopt.observe import machines_of
from vks.migration.run.scope import Scope
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.core import Node


async def is_going(scope: Scope) -> bool:
    """Whether the Cluster has been asked to go: none of its machines lived in the cluster then.
    Raises ApiError."""
    try:
        root = await scope.client.get(Cluster, scope.name, scope.namespace)
    except NotFound:
        return True
    return root.deleting


async def own_machines(scope: Scope) -> list[Machine]:
    """Raises ApiError."""
    known = {node.metadata.name for node in scope.nodes}
    return [
        machine
        for machine in await machines_of(scope)
        if machine.metadata.name not in known or HOOK not in machine.metadata.annotations
    ]


async def present(scope: Scope, machines: list[Machine]) -> list[tuple[Machine, Node]]:
    """Those that live in the cluster, with their Nodes. Raises Waiting, ApiError."""
    if not machines:
        return []
    workload = await scope.workload()
    nodes = {node.metadata.name: node for node in (await workload.list(Node)).items}
    return [
        (machine, nodes[machine.metadata.name])
        for machine in machines
        if machine.metadata.name in nodes
    ]
