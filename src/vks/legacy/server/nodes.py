"""What can be said of a LegacyNode by looking at it: shared by both controllers."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import find_condition
from vks.legacy.server.conditions import AGENT_CONNECTED, SERVER_READY, SERVICES_HEALTHY
from vks.resources.contract import READY
from vks.resources.legacynode import LegacyNode

#: Reasons of ServerReady after which a server does not come back.
_LOST = ("ServerNotFound", "ServerFailed", "ServerNotActive")


def is_true(node: LegacyNode, type_: str) -> bool:
    condition = find_condition(node.status.conditions, type_)
    return condition is not None and condition.status == "True"


def ready(node: LegacyNode) -> bool:
    return is_true(node, READY) and not node.deleting


def serving(node: LegacyNode) -> bool:
    """Whether a control plane answers: its services are healthy and its agent can be asked."""
    return is_true(node, SERVICES_HEALTHY) and is_true(node, AGENT_CONNECTED)


def server_lost(node: LegacyNode) -> bool:
    """Whether the node needs a successor. A lost agent is no reason: it comes back."""
    condition = find_condition(node.status.conditions, SERVER_READY)
    return condition is not None and condition.status == "False" and condition.reason in _LOST


def voters(nodes: Iterable[LegacyNode]) -> list[LegacyNode]:
    """The control planes whose etcd members count, whatever state they are in."""
    return [node for node in nodes if node.status.etcd is not None and node.status.etcd.voter]


def may_lose(nodes: Iterable[LegacyNode], candidate: LegacyNode) -> bool:
    """Whether etcd keeps its quorum, counted over all members that vote now, without the
    candidate: the members that would be left answering are a majority by themselves."""
    name = candidate.metadata.name
    voting = voters(nodes)
    if all(node.metadata.name != name for node in voting):
        return True
    left = [node for node in voting if node.metadata.name != name and serving(node)]
    # Of two members one can be let go while both answer, which etcd itself makes sure of.
    return len(left) >= len(voting) // 2 + 1 or (len(voting) == 2 and len(left) == 1)
