"""Plots as SVG: curves over time, and points beside where they were expected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

_COLOURS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#64748b")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 640, 230, 46, 12, 26, 10
_TICKS = 4

Points = Sequence[tuple[float, float]]


class _Frame(NamedTuple):
    """From values to places: both axes begin at 0."""

    right: float
    top: float

    @classmethod
    def around(cls, points: Iterable[tuple[float, float]]) -> _Frame:
        known = [*points]
        right = max((x for x, _ in known), default=0.0) or 1.0
        top = max((y for _, y in known), default=0.0) or 1.0
        return cls(right, ticks(top)[-1])

    def x(self, value: float) -> float:
        return _LEFT + value / self.right * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _TOP + (1 - value / self.top) * (_HEIGHT - _BOTTOM - _TOP)

    def at(self, x: float, y: float) -> str:
        return f"{self.x(x):.1f},{self.y(y):.1f}"


def ticks(top: float) -> list[float]:
    """Round numbers from 0 to the first that is not below `top`."""
    rough = top / _TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    return [step * number for number in range(math.ceil(top / step * 0.999) + 1)]


def curves(title: str, series: Mapping[str, Points], unit: str = "s") -> str:
    """The series that reach highest, over time."""
    ordered = sorted(series, key=lambda name: -max((y for _, y in series[name]), default=0.0))
    drawn = dict.fromkeys(ordered[: len(_COLOURS)])
    frame = _Frame.around(point for name in drawn for point in series[name])
    lines = [
        f"<polyline fill='none' stroke='{colour}' stroke-width='1.5' stroke-linejoin='round' "
        f"points='{' '.join(frame.at(x, y) for x, y in series[name])}'/>"
        for name, colour in zip(drawn, _COLOURS, strict=False)
    ]
    return _figure(title, frame, lines, drawn, unit)


def scatter(title: str, series: Mapping[str, Points], unit: str) -> str:
    """Points, and the line on which both coordinates are the same."""
    frame = _Frame.around(point for points in series.values() for point in points)
    end = min(frame.right, frame.top)
    marks = [f"<path d='M{frame.at(0, 0)} L{frame.at(end, end)}' class='same'/>"]
    for points, colour in zip(series.values(), _COLOURS, strict=False):
        marks += [
            f"<circle cx='{frame.x(x):.1f}' cy='{frame.y(y):.1f}' r='4' fill='{colour}'/>"
            for x, y in points
        ]
    return _figure(title, frame, marks, series, unit)


def _figure(
    title: str, frame: _Frame, marks: Iterable[str], names: Iterable[str], unit: str
) -> str:
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img'>"
        f"{_axes(frame, unit)}{''.join(marks)}</svg>{_legend(names)}</figure>"
    )


def _axes(frame: _Frame, unit: str) -> str:
    bottom, edge = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    rows = [
        f"<line x1='{_LEFT}' y1='{frame.y(value):.1f}' x2='{edge}' y2='{frame.y(value):.1f}'/>"
        f"<text x='{_LEFT - 6}' y='{frame.y(value) + 3.5:.1f}' text-anchor='end'>{value:g}</text>"
        for value in ticks(frame.top)
    ]
    columns = [
        f"<text x='{frame.x(value):.1f}' y='{bottom + 16}' text-anchor='middle'>{value:g}</text>"
        for value in ticks(frame.right)
        if value <= frame.right * 0.94
    ]
    end = f"<text x='{edge}' y='{bottom + 16}' text-anchor='end'>{escape(unit)}</text>"
    return f"<g class='axes'>{''.join((*rows, *columns))}{end}</g>"


def _legend(names: Iterable[str]) -> str:
    items = [
        f"<span><i style='background:{colour}'></i>{escape(name)}</span>"
        for name, colour in zip(names, _COLOURS, strict=False)
    ]
    return f"<div class='legend'>{''.join(items) or 'nothing to show'}</div>"
