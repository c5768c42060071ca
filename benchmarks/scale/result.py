"""The result as it grows: written down after every operation, so that a run which is ended early
has told what it knew by then."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.scale import verdict
from benchmarks.scale.growth import complete, growth
from benchmarks.scale.page import page
from benchmarks.scale.topology import Operation, Run


class Result:
    """Of one call of the benchmark. `path` is the document, and beside it is its page."""

    def __init__(self, scale: str, start_delay: float, runs: tuple[Run, ...]) -> None:
        self._document: dict[str, Any] = {
            "scale": scale,
            "machine": report.machine(),
            "versions": report.versions(),
            "startDelay": start_delay,
            "runs": [],
        }
        self._asked = [str(run.topology) for run in runs]
        self.path: Path | None = None

    def begin(self, run: Run) -> None:
        self._document["runs"].append(
            {"topology": str(run.topology), "machines": run.topology.machines, "subjects": {}}
        )

    def note(self, subject: str, operation: Operation, figures: dict[str, Any]) -> None:
        """Of the run that was begun last. Writes everything down."""
        run = self._document["runs"][-1]
        measured = run["subjects"].setdefault(subject, {})
        measured[operation] = figures
        ours, peer = (run["subjects"].get(name, {}) for name in ("vks", "in-memory"))
        if all(complete(one.get("create", {})) for one in (ours, peer)):
            run["ratios"] = verdict.ratios(ours["create"], peer["create"])
        run["goals"] = [{**goal._asdict(), "met": goal.met} for goal in verdict.goals(run)]
        self._document["growth"] = growth(self._document["runs"])
        self._document["notBegun"] = self._asked[len(self._document["runs"]) :]
        self._write()

    def show(self) -> None:
        """Prints what the run that was begun last has come to."""
        run = self._document["runs"][-1]
        columns = ("operation", "seconds", "provider CPU s", "provider MiB", "API calls")
        rows = [
            (f"{name}: {operation}", *_row(figures))
            for name, measured in run["subjects"].items()
            for operation, figures in measured.items()
        ]
        report.show(run["topology"], columns, rows)
        if "ratios" in run:
            print("ratios:", ", ".join(f"{name} {one:g}" for name, one in run["ratios"].items()))
        for goal in run.get("goals", ()):
            verb = "met" if goal["met"] else "MISSED"
            print(f"{verb}: {goal['where']}: {goal['what']}: {goal['value']:g}/{goal['limit']:g}")

    def _write(self) -> None:
        self.path = report.write(f"scale-{self._document['scale']}", self._document)
        date = datetime.now(UTC).isoformat(timespec="seconds")
        self.path.with_suffix(".html").write_text(page({**self._document, "date": date}))


def _row(figures: dict[str, Any]) -> tuple[str, str, str, str]:
    if "skipped" in figures:
        return figures["skipped"], "", "", ""
    seconds = f"{figures['seconds']:.1f}"
    if "cutAfter" in figures:
        done, total = figures["reached"]
        seconds = f"cut after {seconds}, {done} of {total}"
    provider = figures["provider"]
    cpu, peak, requests = (str(provider[key]) for key in ("cpuSeconds", "peakMiB", "requests"))
    return seconds, cpu, peak, requests
