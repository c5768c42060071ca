"""Cluster API stops in the middle of a conversion: no machine of its own is about to come or go.

The control plane provider has to see machines off that it deletes, and must not make others: it is
held when none leaves. Machines that are held by the migration's hook stay: nothing of them is gone.
"""

from __future__ import annotations

from vks.migration.adopt.handover import hold, managed_cluster
from vks.migration.adopt.observe import control_plane_of
from vks.migration.rollback.own import own_machines, present
from vks.migration.run.scope import Scope
from vks.resources.clusterapi import Cluster
from vks.resources.contract import PAUSED_ANNOTATION
from vks.runtime.result import Waiting

POLL = 1.0


async def stand_still(scope: Scope) -> None:
    """Raises Waiting until Cluster API acts on nothing of the cluster; ApiError."""
    inherited = (await managed_cluster(scope)).spec.inherited
    held = inherited.on_hold if inherited is not None else "Cluster"
    if held != "Cluster":
        await _require_none_leaves(scope)
    if held is None:
        await hold(scope, "ControlPlane")
        raise Waiting("HoldRequested", "no other machine is to be made", POLL)
    plane = await control_plane_of(scope)
    if PAUSED_ANNOTATION not in plane.metadata.annotations:
        raise Waiting("WaitingForHold", "the control plane is not on hold yet", POLL)
    if held == "ControlPlane":
        await _require_none_joins(scope)
        await hold(scope, "Cluster")
        raise Waiting("HoldRequested", "Cluster API is to stand still", POLL)
    root = await scope.client.get(Cluster, scope.name, scope.namespace)
    if not root.spec.paused:
        raise Waiting("WaitingForHold", "Cluster API does not stand still yet", POLL)


async def _require_none_leaves(scope: Scope) -> None:
    """Half of it is no state: they are let go first."""
    leaving = [m.metadata.name for m in await own_machines(scope) if m.deleting]
    if leaving:
        raise Waiting("MachinesLeave", f"about to go: {', '.join(sorted(leaving))}", POLL)


async def _require_none_joins(scope: Scope) -> None:
    """A server that has been started joins, whoever stands still."""
    own = await own_machines(scope)
    living = {machine.metadata.name for machine, _ in await present(scope, own)}
    joining = sorted({machine.metadata.name for machine in own} - living)
    if joining:
        raise Waiting("MachinesJoin", f"about to come: {', '.join(joining)}", POLL)
