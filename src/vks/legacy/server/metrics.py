"""What operators watch of the agents' connections."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge

from vks.kube.objects import Key
from vks.legacy.server.legacycluster.status import connected
from vks.resources.legacycluster import LegacyClusterStatus
from vks.resources.legacynode import LegacyNode

_LABELS = ("namespace", "cluster")


class ClusterMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._observed: set[Key] = set()
        self._connected = Gauge(
            "vks_legacy_agents_connected",
            "Agents of a cluster that are connected",
            _LABELS,
            registry=registry,
        )
        self._expected = Gauge(
            "vks_legacy_agents_expected",
            "Agents of a cluster that should be connected",
            _LABELS,
            registry=registry,
        )
        self._disappeared = Gauge(
            "vks_legacy_cluster_owner_disappeared",
            "1 when no agent of a running cluster is connected: nobody acts for it",
            _LABELS,
            registry=registry,
        )

    def observe(
        self, cluster: Key, status: LegacyClusterStatus, nodes: Sequence[LegacyNode]
    ) -> None:
        present, expected = connected(nodes)
        self._observed.add(cluster)
        self._connected.labels(*cluster).set(present)
        self._expected.labels(*cluster).set(expected)
        self._disappeared.labels(*cluster).set(status.initialized and present == 0)

    def forget(self, cluster: Key) -> None:
        if cluster in self._observed:
            self._observed.remove(cluster)
            for gauge in (self._connected, self._expected, self._disappeared):
                gauge.remove(*cluster)
