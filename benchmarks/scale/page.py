"""The HTML page of a result: tables and plots, all in one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_COLOURS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4b5563")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 620, 220, 48, 28, 12
_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1320px; color: #1f2937 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem }
table { border-collapse: collapse; margin: .6rem 0 }
th, td { padding: .2rem .8rem; text-align: right }
th { border-bottom: 1px solid #9ca3af; font-weight: 600 }
th:first-child, td:first-child { text-align: left }
tr:nth-child(even) td { background: #f3f4f6 }
.plots { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem }
svg { width: 100%; height: auto }
.legend { font-size: 12px } .legend span { margin-right: 1rem; white-space: nowrap }
.legend i { display: inline-block; width: 10px; height: 10px; margin-right: 4px }
small { color: #6b7280 }
"""

Points = Sequence[tuple[float, float]]


def page(result: Mapping[str, Any]) -> str:
    """The whole document."""
    machine, versions = result["machine"], result["versions"]
    head = (
        f"{machine['cores']} cores ({escape(str(machine['cpu']))}), {machine['memoryGiB']} GiB; "
        f"VKS {escape(str(versions['vks']))}, Cluster API {versions['clusterAPI']}, "
        f"Kubernetes {versions['kubernetes']}; start delays {result['startDelay']:g} s; "
        f"{escape(result['date'])}"
    )
    body = [f"<h1>Scale: {escape(result['scale'])}</h1><p><small>{head}</small></p>"]
    for run in result["runs"]:
        body.append(_run(run))
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>VKS scale</title>"
        f"<style>{_STYLE}</style><body>{''.join(body)}</body></html>\n"
    )


def _run(run: Mapping[str, Any]) -> str:
    parts = [f"<h2>{escape(run['topology'])} · {run['machines']} machines</h2>"]
    if run.get("ratios"):
        names = [*run["ratios"]]
        parts.append("<p>Ours in units of the peer's, creating:</p>")
        parts.append(_table(names, [[f"{run['ratios'][name]:g}" for name in names]]))
    for subject, measured in run["subjects"].items():
        parts.append(f"<h3>{escape(subject)}</h3>{_operations(measured)}{_latencies(measured)}")
        parts.append("<div class='plots'>")
        for operation, figures in measured.items():
            parts.append(_plots(f"{subject}: {operation}", figures))
        parts.append("</div>")
    return "".join(parts)


def _operations(measured: Mapping[str, Any]) -> str:
    columns = (
        "operation",
        "seconds",
        "machines",
        "provider CPU s",
        "provider MiB",
        "provider API calls",
        "Machine updates",
        "cloud calls",
        "queue empty after s",
    )
    rows = [
        [
            operation,
            f"{one['seconds']:.1f}",
            str(one["machines"]),
            str(one["provider"]["cpuSeconds"]),
            str(one["provider"]["peakMiB"]),
            str(one["provider"]["requests"]),
            str(one["machineUpdates"]),
            str(sum(one["cloudCalls"].values())),
            f"{one['drainedAfter']:g}",
        ]
        for operation, one in measured.items()
    ]
    return _table(columns, rows)


def _latencies(measured: Mapping[str, Any]) -> str:
    rows = [
        [f"{operation}: {step}", *(f"{values[p]:.2f}" for p in ("p50", "p90", "p99"))]
        for operation, one in measured.items()
        for step, values in one["latency"].items()
    ]
    return _table(("machine latency, seconds", "p50", "p90", "p99"), rows) if rows else ""


def _plots(title: str, figures: Mapping[str, Any]) -> str:
    load: dict[str, list[tuple[float, float]]] = {}
    for second, program, share in figures["load"]:
        load.setdefault(program, []).append((second, share))
    busiest = sorted(load, key=lambda name: -sum(share for _, share in load[name]))[: len(_COLOURS)]
    depth: dict[str, list[tuple[float, float]]] = {}
    for second, program, queue, number in figures["queues"]:
        depth.setdefault(f"{program}/{queue}", []).append((second, number))
    deepest = sorted(depth, key=lambda name: -max(n for _, n in depth[name]))[: len(_COLOURS)]
    return _figure(f"{title}: cores in use", {n: load[n] for n in busiest}) + _figure(
        f"{title}: queue depth", {name: depth[name] for name in deepest}
    )


def _figure(title: str, series: Mapping[str, Points]) -> str:
    return f"<div><b>{escape(title)}</b>{_svg(series)}{_legend(series)}</div>"


def _svg(series: Mapping[str, Points]) -> str:
    points = [point for one in series.values() for point in one]
    right = max((x for x, _ in points), default=1.0) or 1.0
    top = max((y for _, y in points), default=1.0) or 1.0
    inner_width, inner_height = _WIDTH - _LEFT - 10, _HEIGHT - _BOTTOM - _TOP

    def place(x: float, y: float) -> str:
        return f"{_LEFT + x / right * inner_width:.1f},{_TOP + (1 - y / top) * inner_height:.1f}"

    lines = [
        f"<polyline fill='none' stroke='{colour}' stroke-width='1.4' points='"
        + " ".join(place(x, y) for x, y in one)
        + "'/>"
        for one, colour in zip(series.values(), _COLOURS, strict=False)
    ]
    return (
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img'>"
        f"{_axes(right, top)}{''.join(lines)}</svg>"
    )


def _axes(right: float, top: float) -> str:
    bottom, edge = _HEIGHT - _BOTTOM, _WIDTH - 10
    marks = [
        f"<line x1='{_LEFT}' y1='{y:.1f}' x2='{edge}' y2='{y:.1f}' stroke='#e5e7eb'/>"
        f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' font-size='10' text-anchor='end'>"
        f"{top * part:.3g}</text>"
        for part in (0.0, 0.5, 1.0)
        for y in (_TOP + (1 - part) * (bottom - _TOP),)
    ]
    marks += [
        f"<text x='{_LEFT + part * (edge - _LEFT):.1f}' y='{bottom + 16}' font-size='10' "
        f"text-anchor='middle'>{right * part:.3g} s</text>"
        for part in (0.0, 0.5, 1.0)
    ]
    return "".join(marks)


def _legend(names: Iterable[str]) -> str:
    items = [
        f"<span><i style='background:{colour}'></i>{escape(name)}</span>"
        for name, colour in zip(names, _COLOURS, strict=False)
    ]
    return f"<div class='legend'>{''.join(items) or 'nothing'}</div>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
