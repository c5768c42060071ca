"""The caches that both controllers share."""

from __future__ import annotations

from typing import NamedTuple

from vks.kube.objects import Key
from vks.legacy.server.hub import Hub, Session
from vks.legacy.server.nodes import serving, voters
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.runtime.store import Store


class Stores(NamedTuple):
    """`nodes` has the index "cluster"."""

    clusters: Store[LegacyCluster]
    nodes: Store[LegacyNode]

    def cluster_of(self, node: LegacyNode) -> LegacyCluster | None:
        return self.clusters.get(Key(node.metadata.namespace, node.spec.cluster_name))

    def nodes_of(self, cluster: Key) -> list[LegacyNode]:
        """All nodes of a cluster, those that leave too, by name."""
        found = self.nodes.by_index("cluster", str(cluster))
        return sorted(found, key=lambda node: node.metadata.name)


def cluster_index(node: LegacyNode) -> list[str]:
    return [str(Key(node.metadata.namespace, node.spec.cluster_name))]


def member_session(nodes: list[LegacyNode], hub: Hub, *, besides: str = "") -> Session | None:
    """The agent of a control plane that answers: whoever asks etcd or the API goes through it."""
    for node in voters(nodes):
        if node.metadata.name == besides or node.deleting or not serving(node):
            continue
        session = hub.session(node.key)
        if session is not None:
            return session
    return None
