"""A control plane that dies while another joins.

etcd takes no new member while one of its members does not answer (strict-reconfig-check), and the
control plane provider replaces no machine while another is on its way
(controlplane/kubeadm/internal/controllers/remediation.go): each waits for the other for ever. The
dead one is deleted here; the provider takes its etcd member out as that of any machine that goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from vks.kube.objects import find_condition
from vks.kube.times import parse_time
from vks.migration.adopt.observe import machines_of
from vks.migration.convert.leaving import is_healthy
from vks.migration.run.scope import Scope
from vks.resources.clusterapi import Machine
from vks.resources.contract import SERVER_HEALTHY
from vks.runtime.result import Waiting

#: Seconds for which its server has to be gone: a reboot takes less.
GONE = 40.0
POLL = 1.0


class BreakDeadlock:
    """Nothing to take back: what is gone is gone."""

    name = "BreakDeadlock"

    async def do(self, scope: Scope) -> None:
        dead = dead_in_the_way(await machines_of(scope), scope.clock.now())
        if dead is not None:
            meta = dead.metadata
            await scope.client.delete(Machine, meta.name, meta.namespace, uid=meta.uid)
            raise Waiting("DeadControlPlaneGoes", meta.name, POLL)

    async def undo(self, scope: Scope) -> None:
        """Nothing by itself."""


def dead_in_the_way(machines: Sequence[Machine], now: datetime) -> Machine | None:
    """The control plane whose server is gone while another joins; None when there is no such, or
    when the members that answer are no majority, without which none can be taken out."""
    planes = [machine for machine in machines if machine.is_control_plane]
    members = [plane for plane in planes if plane.status.node_ref is not None]
    if len(members) == len(planes):
        return None
    dead = [plane for plane in members if not plane.deleting and _gone_for(plane, now) > GONE]
    answering = [plane for plane in members if plane not in dead and is_healthy(plane)]
    return dead[0] if dead and len(answering) > len(members) // 2 else None


def _gone_for(machine: Machine, now: datetime) -> float:
    healthy = find_condition(machine.status.conditions, SERVER_HEALTHY)
    if healthy is None or healthy.status != "False" or not healthy.last_transition_time:
        return 0.0
    return (now - parse_time(healthy.last_transition_time)).total_seconds()
