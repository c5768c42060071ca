"""Pure: a control plane whose server dies while another one joins.

etcd takes no new member while one of its members does not answer, and kubeadm, which looks first,
gives the join up; but the control plane provider replaces no machine while another is on its way
(controlplane/kubeadm/reconcilers/kubeadmcontrolplane/remediation.go), and that one counts against
the limit of the MachineHealthCheck. Each waits for the other until the newcomer is given up after a
quarter of an hour, be it an upgrade, a repair, or the conversion of a migrated cluster. So the
newcomer, on which there is nothing yet, is deleted. The provider replaces the dead one then, by its
own rules and only if etcd keeps its quorum, and makes another newcomer.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from vks.kube.objects import find_condition
from vks.kube.times import parse_time
from vks.resources.clusterapi import Machine
from vks.resources.contract import (
    HEALTH_CHECK_SUCCEEDED,
    OWNER_REMEDIATED,
    PAUSED_ANNOTATION,
    SERVER_HEALTHY,
)
from vks.service.managedcluster.observe import Observed

#: Seconds for which the dead one has to be condemned: a join that is about to end may end.
CONDEMNED = 10.0
#: What the provider says of a machine that it would not replace without the newcomer either.
_KEPT = "CannotBeRemediated"


class Stuck(NamedTuple):
    """A newcomer that cannot join beside `dead`. `due` is in how many seconds it may be deleted, at
    most 0 when it may be now."""

    newcomer: Machine
    dead: Machine
    due: float


def stuck(seen: Observed, now: datetime) -> Stuck | None:
    """None too in a cluster of which nobody may touch a thing now."""
    cluster, plane = seen.cluster, seen.control_plane
    if seen.capi is None or plane is None or cluster is None or cluster.deleting:
        return None
    if seen.capi.spec.paused or PAUSED_ANNOTATION in plane.metadata.annotations:
        return None
    machines = [machine for machine in seen.machines if machine.is_control_plane]
    newcomer = next((m for m in machines if m.status.node_ref is None), None)
    if newcomer is None or any(machine.deleting for machine in machines):
        return None
    for machine in machines:
        waited = _condemned_for(machine, now)
        if machine is not newcomer and waited is not None:
            return Stuck(newcomer, machine, CONDEMNED - waited)
    return None


def _condemned_for(machine: Machine, now: datetime) -> float | None:
    """For how many seconds it should have been replaced; None while its server runs: then its etcd
    may too, whatever its kubelet does, and others can join."""
    conditions = machine.status.conditions
    server = find_condition(conditions, SERVER_HEALTHY)
    check = find_condition(conditions, HEALTH_CHECK_SUCCEEDED)
    owner = find_condition(conditions, OWNER_REMEDIATED)
    if server is None or server.status != "False" or (owner and owner.reason == _KEPT):
        return None
    if check is None or check.status != "False" or not check.last_transition_time:
        return None
    return (now - parse_time(check.last_transition_time)).total_seconds()
