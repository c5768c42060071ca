"""Pure: whether the server of an adopted control plane may be deleted now.

Its former owner has to have released it (`adoptedServerPolicy: Delete`), or it is kept whatever
becomes of the machine. Released ones still hold etcd's quorum: the control plane provider takes a
member out before core deletes the machine's infrastructure, nobody else does.
"""

from __future__ import annotations

from collections.abc import Iterable

from vks.resources.clusterapi import Cluster, Machine
from vks.resources.contract import CONTROL_PLANE_LABEL
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.result import Waiting

#: Seconds until a deletion that has to wait for another one is looked at again.
POLL = 2.0


def keeps_server(machine: VerdaMachine) -> bool:
    """Whether the server outlives the machine."""
    spec = machine.spec
    return spec.adopt_server_id is not None and spec.adopted_server_policy == "Retain"


def leaves_nothing(machine: VerdaMachine, cluster: VerdaCluster | None) -> bool:
    """Whether a deleted machine has nothing in the cloud that would be its own: its server is
    another's, and the load balancer goes with the cluster. No credential is needed then, which a
    namespace that is deleted as a whole has lost."""
    going = cluster is None or cluster.deleting
    return going and keeps_server(machine) and machine.spec.port_pool_ref is None


def objection(
    machine: VerdaMachine,
    owner: Machine | None,
    cluster: Cluster | None,
    peers: Iterable[VerdaMachine],
) -> Waiting | None:
    """Why the server must stay for now; `peers` are the cluster's machines."""
    if not _released_control_plane(machine) or cluster is None or cluster.deleting:
        return None
    if owner is None or not owner.deleting:
        return Waiting(
            "NotDecidedByMachine",
            "a control plane goes by way of its Machine, which takes its etcd member out first",
            POLL,
        )
    earlier = [p for p in peers if _released_control_plane(p) and _before(p, machine)]
    if earlier:
        names = ", ".join(sorted(peer.metadata.name for peer in earlier))
        return Waiting("OneControlPlaneAtATime", f"{names} goes first", POLL)
    return None


def _released_control_plane(machine: VerdaMachine) -> bool:
    adopted = machine.spec.adopt_server_id is not None
    return adopted and not keeps_server(machine) and CONTROL_PLANE_LABEL in machine.metadata.labels


def _before(peer: VerdaMachine, machine: VerdaMachine) -> bool:
    if not peer.deleting:
        return False
    asked = [(m.metadata.deletion_timestamp or "", m.metadata.name) for m in (peer, machine)]
    return asked[0] < asked[1]
