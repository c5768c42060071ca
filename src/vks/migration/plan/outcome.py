"""What a migration would do: node by node, what carries over, and how long it takes."""

from __future__ import annotations

import msgspec

from vks.migration.plan.checks import Finding, findings
from vks.migration.plan.facts import Facts, NodeFacts
from vks.migration.plan.flags import COMPONENTS, carried_over

#: Seconds, as they were measured when the way was first walked on real servers (3 control planes,
#: 2 workers, 2 cores): a rolling restart of one etcd member, of one API server, what is done once,
#: and the replacement of one control plane and of one worker.
_ETCD, _API, _ONCE, _CONTROL_PLANE, _WORKER = 14, 69, 60, 60, 40


#: What an operator has to know before there is something to take back.
_BACK = "rollback: as it is, until it has been replaced; from then on it is built anew"


class NodeChanges(msgspec.Struct, frozen=True, kw_only=True):
    """`changes` in the order of the phases, each in one sentence."""

    node: str
    changes: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`refusals` empty: the migration may start. `rolled` are the machines that `convert` replaces
    on purpose; adopting replaces none."""

    generation: int
    refusals: tuple[Finding, ...]
    nodes: tuple[NodeChanges, ...]
    arguments: dict[str, dict[str, str]]
    server_names: tuple[str, ...]
    rolled: tuple[str, ...]
    seconds: int

    @property
    def summary(self) -> str:
        if self.refusals:
            return f"refused for {len(self.refusals)} reasons"
        return f"{len(self.rolled)} machines would roll, 0 by surprise; about {self.seconds} s"


def outcome(facts: Facts, *, endpoint: str) -> Outcome:
    """`endpoint` is the address that the load balancer will have, or what stands for it."""
    planes = facts.control_planes
    first = planes[0] if planes else None
    names = {name for node in planes for name in node.server_names}
    return Outcome(
        generation=facts.generation,
        refusals=tuple(findings(facts)),
        nodes=tuple(_changes(facts, node, endpoint) for node in facts.nodes),
        arguments={
            component: carried_over(component, first.running.get(component, {}) if first else {})
            for component in COMPONENTS
        },
        server_names=tuple(sorted(names | {endpoint})),
        rolled=tuple(node.name for node in facts.nodes),
        seconds=len(planes) * (_ETCD + _API + _CONTROL_PLANE)
        + len(facts.workers) * _WORKER
        + _ONCE,
    )


def _changes(facts: Facts, node: NodeFacts, endpoint: str) -> NodeChanges:
    if not node.control_plane:
        address = f", which has its address {node.address}" if node.reserved else ""
        return NodeChanges(
            node=node.name,
            changes=(
                f"prepare: its way to the API leads to {endpoint}",
                "adopt: becomes a Machine, as it is",
                f"convert: is drained and replaced by a kubeadm worker{address}",
                _BACK,
            ),
        )
    member = next((m.name for m in facts.members if node.address in m.peer_url), "")
    return NodeChanges(
        node=node.name,
        changes=(
            f"prepare: etcd member {member} is renamed to {node.name} by a restart",
            f"prepare: the API server restarts with a certificate that knows {endpoint}",
            "prepare: the controller manager restarts and signs certificates and cluster-info",
            "prepare: four pods stand for its services",
            "adopt: becomes a Machine of the control plane, as it is",
            "convert: is replaced by a kubeadm control plane",
            _BACK,
        ),
    )
