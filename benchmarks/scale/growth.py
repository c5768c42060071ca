"""Pure: how the CPU for creating machines grows with machines and with clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.scale.topology import Topology

#: A plane goes through any three points.
_FEWEST = 4


class Point(NamedTuple):
    machines: int
    clusters: int
    cpu: float


class Fit(NamedTuple):
    """cpu = base + machine * machines + cluster * clusters, in seconds, and how well that goes
    through the points."""

    base: float
    machine: float
    cluster: float
    r2: float

    def at(self, point: Point) -> float:
        """What the plane says of so many machines and clusters."""
        return self.base + self.machine * point.machines + self.cluster * point.clusters


def growth(runs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """By provider: its CPU seconds by run, what the plane through them says, and the plane."""
    known: dict[str, dict[str, Point]] = {}
    for run in runs:
        topology = Topology.parse(run["topology"])
        for name, operations in run["subjects"].items():
            created = operations.get("create", {})
            if complete(created):
                spent = created["provider"]["cpuSeconds"]
                point = Point(topology.machines, topology.clusters, spent)
                known.setdefault(name, {})[run["topology"]] = point
    return {name: _of(points) for name, points in known.items()}


def complete(figures: Mapping[str, Any]) -> bool:
    """Whether the operation came to its end."""
    return "seconds" in figures and "cutAfter" not in figures


def _of(points: Mapping[str, Point]) -> dict[str, Any]:
    plane = fit([*points.values()])
    shown = {topology: point._asdict() for topology, point in points.items()}
    if plane is None:
        return {"points": shown, "fit": None}
    for topology, point in points.items():
        shown[topology]["fitted"] = round(plane.at(point), 2)
    rounded = {name: round(value, 4) for name, value in plane._asdict().items()}
    return {"points": shown, "fit": rounded}


def fit(points: Sequence[Point]) -> Fit | None:
    """By least squares; None for points that no one plane goes through best: too few, or machines
    and clusters that do not vary apart from each other."""
    if len(points) < _FEWEST:
        return None
    rows = [(1.0, float(point.machines), float(point.clusters)) for point in points]
    solved = _solve(
        [[sum(row[i] * row[j] for row in rows) for j in range(3)] for i in range(3)],
        [
            sum(row[i] * point.cpu for row, point in zip(rows, points, strict=True))
            for i in range(3)
        ],
    )
    if solved is None:
        return None
    plane = Fit._make([*solved, 1.0])
    mean = sum(point.cpu for point in points) / len(points)
    total = sum((point.cpu - mean) ** 2 for point in points)
    missed = sum((point.cpu - plane.at(point)) ** 2 for point in points)
    return plane._replace(r2=1.0 - missed / total if total else 1.0)


def _solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """The solution of a symmetric, positive definite system; None when it is (nearly) singular."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for column in range(size):
        pivot = rows[column][column]
        if pivot <= 1e-9 * matrix[column][column]:
            return None
        for below in rows[column + 1 :]:
            share = below[column] / pivot
            for place in range(column, size + 1):
                below[place] -= share * rows[column][place]
    found = [0.0] * size
    for column in reversed(range(size)):
        rest = sum(rows[column][place] * found[place] for place in range(column + 1, size))
        found[column] = (rows[column][size] - rest) / rows[column][column]
    return found
