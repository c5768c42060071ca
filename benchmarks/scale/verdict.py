"""Pure: what the figures of a result amount to, and whether that is what it should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.scale.growth import complete

Figures = Mapping[str, Any]
#: Our programs that reconcile.
CONTROLLERS = ("provider", "controllers")


class Goal(NamedTuple):
    """`limit` is the most that `value` may be; `where` says in which run and operation."""

    what: str
    where: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        return self.value <= self.limit


def ratios(ours: Figures, peer: Figures) -> dict[str, float]:
    """Ours in units of the peer's, for creating the clusters."""
    pairs = {
        "time_to_ready": (ours["seconds"], peer["seconds"]),
        "provider_cpu": (ours["provider"]["cpuSeconds"], peer["provider"]["cpuSeconds"]),
        "provider_rss": (ours["provider"]["peakMiB"], peer["provider"]["peakMiB"]),
        "api_calls": (ours["provider"]["requests"], peer["provider"]["requests"]),
    }
    return {name: round(mine / theirs, 2) for name, (mine, theirs) in pairs.items() if theirs}


def goals(run: Figures) -> list[Goal]:
    """What has to come true at scale, as far as the run says something about it."""
    found = []
    for operation, figures in run["subjects"].get("vks", {}).items():
        if complete(figures):
            found += _goals_of(f"{run['topology']} {operation}", operation, figures)
    for name, limit in (("time_to_ready", 1.1), ("provider_cpu", 2.0)):
        if name in run.get("ratios", {}):
            what = f"{name.replace('_', ' ')}, ratio to the peer"
            found.append(Goal(what, f"{run['topology']} create", run["ratios"][name], limit))
    return found


def _goals_of(where: str, operation: str, figures: Figures) -> list[Goal]:
    if operation == "idle":
        cores = _sum(figures["cpuSeconds"]) / figures["seconds"]
        return [Goal("cores in use by our controllers", where, round(cores, 4), 0.05)]
    if operation == "restart":
        return [
            Goal("edit reconciled, s after the restart", where, figures["seconds"], 5.0),
            Goal("cloud calls that write", where, figures["cloudWrites"], 0),
        ]
    found = [
        Goal("our queues empty, s", where, max(figures["drainedAfter"].values(), default=0.0), 5.0),
        Goal("cores of our busiest controller", where, _most(figures["peakCores"]), 1.0),
        Goal("MiB of our largest controller", where, _most(figures["peakMiB"]), 400),
    ]
    if "bootstrap-requested" in figures["latency"]:
        late = figures["latency"]["bootstrap-requested"]["p99"]
        found.append(Goal("bootstrap data to server requested, p99 s", where, late, 2.0))
    return found


def _sum(by_program: Mapping[str, float]) -> float:
    return sum(by_program.get(name, 0.0) for name in CONTROLLERS)


def _most(by_program: Mapping[str, float]) -> float:
    return max(by_program.get(name, 0.0) for name in CONTROLLERS)
