"""What has been compared with the cloud lately, so that it is not compared again at every look."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from vks.resources.verdacluster import VerdaCluster
from vks.runtime.clock import Clock

#: How often a provisioned cluster is compared with the cloud although nothing happened, seconds.
VERIFY = 600.0


@dataclass
class _Phases:
    """Of one generation; `since` is the moment (monotonic) of the first that was through."""

    generation: int
    since: float
    found: dict[str, Any] = field(default_factory=dict)


class Settled:
    """By cluster and phase, what the phase came to. Nothing is known of another generation than
    the one that was looked at, nor after VERIFY seconds, nor by another process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clusters: dict[str, _Phases] = {}

    def get(self, cluster: VerdaCluster, phase: str) -> Any:
        """What the phase came to, None when that is not known."""
        known = self._known(cluster)
        return None if known is None else known.found.get(phase)

    def left(self, cluster: VerdaCluster, phases: Collection[str]) -> float | None:
        """Seconds for which all of the phases are known; None when they are not."""
        known = self._known(cluster)
        if known is None or any(phase not in known.found for phase in phases):
            return None
        return known.since + VERIFY - self._clock.monotonic()

    def note(self, cluster: VerdaCluster, phase: str, found: Any) -> None:
        """The phase came to that."""
        known = self._known(cluster)
        if known is None:
            meta = cluster.metadata
            known = _Phases(meta.generation, self._clock.monotonic())
            self._clusters[meta.uid] = known
        known.found[phase] = found

    def observe(self, cluster: VerdaCluster, generation: int) -> None:
        """The cluster has that generation now, by our own doing."""
        known = self._known(cluster)
        if known is not None:
            known.generation = generation

    def forget(self, cluster: VerdaCluster) -> None:
        self._clusters.pop(cluster.metadata.uid, None)

    def _known(self, cluster: VerdaCluster) -> _Phases | None:
        known = self._clusters.get(cluster.metadata.uid)
        if known is None or known.generation != cluster.metadata.generation:
            return None
        return known if self._clock.monotonic() - known.since < VERIFY else None
