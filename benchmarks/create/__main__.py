"""`python -m benchmarks.create`: bare kubeadm and VKS, alternating, in one region."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import report
from benchmarks.create import bare, rest
from benchmarks.create.region import Region, running_region
from benchmarks.create.timeline import Run

#: The goals: at most so many times bare kubeadm's time, and at most so many seconds.
TARGET = {"ratio": 2.0, "seconds": 150.0}
TIMEOUT = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-create", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each kind; default 3")
    runs = parser.parse_args().runs
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without removing the region
    machine = report.machine()
    with running_region() as region:
        pairs = asyncio.run(_pairs(region, runs))
    kubeadm, vks = [first for first, _ in pairs], [second for _, second in pairs]
    results: dict[str, Any] = {
        "machine": machine,
        "versions": report.versions(),
        "target": TARGET,
        "ratio": round(_median(vks) / _median(kubeadm), 2),
        "seconds": {"kubeadm": _summary(kubeadm), "vks": _summary(vks)},
        "phases": {"kubeadm": _phases(kubeadm), "vks": _phases(vks)},
        "runs": [
            {"kind": kind, "seconds": run.seconds, "phases": run.phases, "servers": run.servers}
            for pair in pairs
            for kind, run in zip(("kubeadm", "vks"), pair, strict=True)
        ],
    }
    path = report.write("create", results)
    _show(results, vks[-1])
    print(f"written: {path}")


async def _pairs(region: Region, runs: int) -> list[tuple[Run, Run]]:
    """One after the other, each kind in turn, so that the machine's mood meets both."""
    pairs = []
    for number in range(1, runs + 1):
        kubeadm = await bare.run(region, TIMEOUT)
        print(f"run {number}: bare kubeadm {kubeadm.seconds:.1f} s", flush=True)
        vks = await rest.run(region, TIMEOUT)
        print(f"run {number}: VKS {vks.seconds:.1f} s", flush=True)
        pairs.append((kubeadm, vks))
    return pairs


def _median(runs: Sequence[Run]) -> float:
    return _summary(runs)["median"]


def _summary(runs: Sequence[Run]) -> dict[str, float]:
    return report.summary([run.seconds for run in runs])


def _phases(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Every phase's summary, in the order in which they were reached."""
    names = {name for run in runs for name in run.phases}
    found = {
        name: report.summary([run.phases[name] for run in runs if name in run.phases])
        for name in names
    }
    return dict(sorted(found.items(), key=lambda item: item[1]["median"]))


def _show(results: dict[str, Any], last: Run) -> None:
    rows = [
        (kind, *(f"{times[key]:.1f}" for key in ("median", "min", "max")))
        for kind, times in results["seconds"].items()
    ]
    report.show("Seconds to 6 Ready nodes with CoreDNS", ("", "median", "min", "max"), rows)
    print(f"ratio {results['ratio']} (target {TARGET['ratio']})\n")
    for kind, phases in results["phases"].items():
        rows = [(name, f"{times['median']:.1f}") for name, times in phases.items()]
        report.show(f"Phases, {kind}", ("reached after", "s"), rows)
    columns = (
        *("machine", "bootstrapData", "active", "booted", "commands", "commandsDone"),
        *("node", "nodeReady", "nodeHealthy"),
    )
    rows = [
        (name, *(_cell(times.get(column)) for column in columns))
        for name, times in sorted(last.servers.items(), key=lambda item: item[1].get("machine", 0))
    ]
    report.show("The last VKS run, server by server", ("", *columns), rows)


def _cell(value: float | str | None) -> str:
    return f"{value:.1f}" if isinstance(value, float) else ""


if __name__ == "__main__":
    main()
