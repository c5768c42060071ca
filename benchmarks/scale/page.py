"""The HTML page of a result: what was reached, tables and plots, all in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.scale.plot import curves, scatter

_STYLE = """
:root { --ink: #0f172a; --soft: #64748b; --line: #e2e8f0; --paper: #fff; --card: #f8fafc;
  --good: #047857; --bad: #b91c1c }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e2e8f0; --soft: #94a3b8; --line: #334155; --paper: #0f172a; --card: #1e293b;
    --good: #34d399; --bad: #f87171 } }
* { box-sizing: border-box }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2.5rem auto; padding: 0 1.5rem;
  max-width: 1320px; color: var(--ink); background: var(--paper) }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.25rem; margin: 2.8rem 0 .4rem }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; color: var(--soft) }
p.head { color: var(--soft); margin: .3rem 0 1.5rem }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: .8rem 0 }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .6rem 1rem; min-width: 9rem }
.tile b { display: block; font-size: 1.4rem } .tile span { color: var(--soft); font-size: 12px }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .28rem .8rem; text-align: right; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 600; font-size: 12px }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
.good { color: var(--good) } .bad { color: var(--bad); font-weight: 600 }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(28rem, 1fr)); gap: 1rem }
figure { max-width: 44rem; margin: 0; padding: .8rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px }
figcaption { font-weight: 600; margin-bottom: .3rem } svg { width: 100%; height: auto }
.same { stroke: var(--soft); stroke-dasharray: 5 4 }
.axes line { stroke: var(--line) } .axes text { fill: var(--soft); font-size: 10px }
.legend { font-size: 12px; color: var(--soft) }
.legend span { margin-right: 1rem; white-space: nowrap }
.legend i { display: inline-block; width: 10px; height: 10px; margin-right: 5px;
  border-radius: 2px }
"""
_SAID = {
    "time_to_ready": "time to ready",
    "provider_cpu": "provider CPU",
    "provider_rss": "provider memory",
    "api_calls": "API calls",
}


def page(result: Mapping[str, Any]) -> str:
    """The whole document."""
    machine, versions = result["machine"], result["versions"]
    head = (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memoryGiB']} GiB · "
        f"VKS {versions['vks']} · Cluster API {versions['clusterAPI']} · "
        f"Kubernetes {versions['kubernetes']} · start delays {result['startDelay']:g} s · "
        f"{result['date']}"
    )
    body = [f"<h1>Scale: {escape(result['scale'])}</h1><p class='head'>{escape(head)}</p>"]
    if result.get("notBegun"):
        body.append(f"<p class='bad'>Not begun yet: {escape(', '.join(result['notBegun']))}</p>")
    body += [_goals(result["runs"]), _growth(result.get("growth", {}))]
    body += [_run(run) for run in result["runs"]]
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>VKS scale</title>"
        "<meta name='viewport' content='width=device-width'>"
        f"<style>{_STYLE}</style><body>{''.join(body)}</body></html>\n"
    )


def _goals(runs: Sequence[Mapping[str, Any]]) -> str:
    """Each goal once, with the value that is furthest from it."""
    known: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        for goal in run.get("goals", ()):
            known.setdefault(goal["what"], []).append(goal)
    rows = []
    for what, goals in known.items():
        worst = max(goals, key=lambda goal: goal["value"])
        met = sum(goal["met"] for goal in goals)
        grade = "good" if met == len(goals) else "bad"
        rows.append(
            [
                escape(what),
                f"{worst['limit']:g}",
                f"<span class='{grade}'>{worst['value']:g}</span>",
                escape(worst["where"]),
                f"<span class='{grade}'>{met} of {len(goals)}</span>",
            ]
        )
    columns = ("goal", "at most", "worst", "where", "met")
    return f"<h2>Goals</h2>{_table(columns, rows)}" if rows else ""


def _growth(growth: Mapping[str, Any]) -> str:
    """CPU of the providers, beside what the plane over machines and clusters says."""
    planes = {name: one["fit"] for name, one in growth.items() if one["fit"]}
    if not planes:
        return ""
    tiles = [
        (
            f"{1000 * plane['machine']:.0f} ms + {1000 * plane['cluster']:.0f} ms",
            f"{name}: CPU per machine and per cluster, R² {plane['r2']:.3f}",
        )
        for name, plane in planes.items()
    ]
    plot = scatter(
        "Provider's CPU seconds to create, over what machines and clusters let expect",
        {
            name: [(point["fitted"], point["cpu"]) for point in growth[name]["points"].values()]
            for name in planes
        },
        "s",
    )
    return f"<h2>Growth</h2>{_tiles(tiles)}<div class='plots'>{plot}</div>"


def _run(run: Mapping[str, Any]) -> str:
    parts = [f"<h2>{escape(run['topology'])} · {run['machines']} machines</h2>"]
    if run.get("ratios"):
        parts.append(
            _tiles([(f"{run['ratios'][name]:g}", said) for name, said in _SAID.items()])
            + "<p class='head'>ours in units of the peer's, creating</p>"
        )
    for subject, operations in run["subjects"].items():
        measured = {name: one for name, one in operations.items() if "seconds" in one}
        parts.append(f"<h3>{escape(subject)}</h3>{_operations(operations)}{_latencies(measured)}")
        parts.append("<div class='plots'>")
        for operation, one in measured.items():
            parts.append(curves(f"{subject}, {operation}: cores in use", one["load"]))
            parts.append(curves(f"{subject}, {operation}: queue depth", one["queues"]))
            parts.append(curves(f"{subject}, {operation}: seconds in the queue", one["waits"]))
        parts.append("</div>")
    return "".join(parts)


def _operations(operations: Mapping[str, Any]) -> str:
    columns = (
        "operation",
        "seconds",
        "machines",
        "provider CPU s",
        "most cores",
        "most MiB",
        "API calls",
        "Machine updates",
        "cloud calls",
        "queues empty after s",
    )
    return _table(columns, [[escape(name), *_cells(one)] for name, one in operations.items()])


def _cells(one: Mapping[str, Any]) -> list[str]:
    if "skipped" in one:
        return [f"<span class='bad'>{escape(one['skipped'])}</span>"]
    seconds = f"{one['seconds']:.1f}"
    if "cutAfter" in one:
        done, total = one["reached"]
        seconds = f"<span class='bad'>cut after {seconds}: {done} of {total}</span>"
    provider = one["provider"]
    return [
        seconds,
        str(one["machines"]),
        str(provider["cpuSeconds"]),
        str(provider["peakCores"]),
        str(provider["peakMiB"]),
        str(provider["requests"]),
        str(one["machineUpdates"]),
        str(sum(one["cloudCalls"].values())),
        f"{max(one['drainedAfter'].values(), default=0.0):g}",
    ]


def _latencies(measured: Mapping[str, Any]) -> str:
    rows = [
        [escape(f"{operation}: {step}"), *(f"{values[p]:.2f}" for p in ("p50", "p90", "p99"))]
        for operation, one in measured.items()
        for step, values in one["latency"].items()
    ]
    return _table(("machine latency, seconds", "p50", "p90", "p99"), rows) if rows else ""


def _tiles(tiles: Sequence[tuple[str, str]]) -> str:
    cells = [
        f"<div class='tile'><b>{escape(value)}</b><span>{escape(said)}</span></div>"
        for value, said in tiles
    ]
    return f"<div class='tiles'>{''.join(cells)}</div>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """`rows` are markup already."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><tr>{head}</tr>{body}</table></div>"
