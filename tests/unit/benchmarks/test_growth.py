"""How the scale benchmark tells what machines cost from what clusters cost."""

from __future__ import annotations

from typing import Any

from benchmarks.scale.growth import Point, fit, growth
from tests.unit.benchmarks.test_scale import figures


def _run(topology: str, cpu: float, **more: Any) -> dict[str, Any]:
    return {"topology": topology, "subjects": {"vks": {"create": figures(9.0, cpu) | more}}}


def test_machines_and_clusters_are_told_apart() -> None:
    shapes = ((8, 4), (103, 1), (260, 20), (200, 100))
    points = [Point(m, c, 0.5 + 0.025 * m + 0.1 * c) for m, c in shapes]
    plane = fit(points)
    assert plane is not None
    assert [round(value, 6) for value in plane] == [0.5, 0.025, 0.1, 1.0]
    assert round(plane.at(Point(1000, 1, 0.0)), 3) == 25.6


def test_how_well_the_plane_fits_is_said() -> None:
    points = [Point(8, 4, 9.0), Point(103, 1, 1.0), Point(260, 20, 9.0), Point(200, 100, 2.0)]
    plane = fit(points)
    assert plane is not None
    assert plane.r2 < 0.9


def test_no_plane_is_laid_through_too_little() -> None:
    assert fit([Point(8, 4, 1.0), Point(103, 1, 3.0), Point(260, 20, 9.0)]) is None
    # As many machines in every cluster: nobody can tell which of them it was.
    assert fit([Point(2 * count, count, 0.1 * count) for count in range(1, 9)]) is None


def test_only_what_came_to_its_end_counts() -> None:
    shapes = {"4x1+1": 1.0, "1x3+100": 3.0, "20x3+10": 9.0, "100x1+1": 12.0}
    runs = [_run(topology, cpu) for topology, cpu in shapes.items()]
    cut = _run("1x3+997", 99.0, cutAfter=9.0)
    found = growth([*runs, cut])["vks"]
    assert {topology: one["cpu"] for topology, one in found["points"].items()} == shapes
    assert found["points"]["20x3+10"]["machines"] == 260
    assert abs(found["points"]["20x3+10"]["fitted"] - 9.0) < 0.5
    assert found["fit"]["r2"] > 0.9
    assert growth(runs[:2])["vks"]["fit"] is None
