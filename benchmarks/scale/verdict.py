"""Pure: what the figures of a result amount to, and whether that is what it should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

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


class Fit(NamedTuple):
    """A straight line through points: y = slope * x + intercept, and how well it goes through."""

    slope: float
    intercept: float
    r2: float


def fit(points: Sequence[tuple[float, float]]) -> Fit | None:
    """By least squares; None for less than three points, or all above one x."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count if count else 0.0
    mean_y = sum(y for _, y in points) / count if count else 0.0
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if count < 3 or not spread:
        return None
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    intercept = mean_y - slope * mean_x
    total = sum((y - mean_y) ** 2 for _, y in points)
    missed = sum((y - slope * x - intercept) ** 2 for x, y in points)
    return Fit(slope, intercept, 1.0 - missed / total if total else 1.0)


def growth(runs: Iterable[Figures]) -> dict[str, Any]:
    """How the CPU for creating machines grows with their number, by provider."""
    points: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        for name, operations in run["subjects"].items():
            if complete(created := operations.get("create", {})):
                spent = created["provider"]["cpuSeconds"]
                points.setdefault(name, []).append((created["machines"], spent))
    found = {}
    for name, known in points.items():
        line = fit(known)
        rounded = None if line is None else {k: round(v, 4) for k, v in line._asdict().items()}
        found[name] = {"points": sorted(known), "fit": rounded}
    return found


def complete(figures: Figures) -> bool:
    """Whether the operation came to its end."""
    return "seconds" in figures and "cutAfter" not in figures


def goals(run: Figures) -> list[Goal]:
    """What the issue of scale asks for, as far as the run says something about it."""
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
