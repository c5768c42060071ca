"""`python -m benchmarks.idle`: what the controllers use while nobody asks for anything.

A region of its own with one cluster of three control planes and three workers; or, with `--region`,
one that is up already.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report
from vks.local.instance import Instance
from vks.local.platform.region import read_state

NAME = "bench-idle"
#: Ours, of which the goals speak; the rest is shown beside them.
CONTROLLERS = ("provider", "controllers")
#: At most so much of one core, and so much memory, of both together.
TARGET = {"cpuPercent": 2.0, "rssMiB": 150.0}
#: After this time nothing that followed the last change is under way any more.
SETTLE_SECONDS = 90.0

_VKS = Path(sys.executable).with_name("vks")
_TICKS = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Processor time in seconds since the process began, and resident memory in bytes."""

    cpu: float
    rss: int


def usage(pid: int) -> Usage:
    """From proc(5): utime and stime, fields 14 and 15 of stat, and the second field of statm."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return Usage(cpu, resident * os.sysconf("SC_PAGE_SIZE"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-idle", description=__doc__)
    parser.add_argument("--region", help="one that is up; default: one of the benchmark's own")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long to measure")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without removing the region
    machine = report.machine()
    with _region(options.region) as name:
        processes = _measure(Instance.named(name), options.seconds)
    ours = {key: sum(processes[p][key] for p in CONTROLLERS) for key in TARGET}
    results: dict[str, Any] = {
        "machine": machine,
        "versions": report.versions(),
        "target": TARGET,
        "seconds": options.seconds,
        "controllers": {key: round(value, 3) for key, value in ours.items()},
        "ratios": {key: round(ours[key] / goal, 3) for key, goal in TARGET.items()},
        "processes": processes,
    }
    path = report.write("idle", results)
    _show(processes, ours)
    print(f"written: {path}")


@contextmanager
def _region(name: str | None) -> Iterator[str]:
    """A region with one cluster in which nothing happens."""
    if name is not None:
        yield name
        return
    _vks("down", "--purge")
    try:
        _vks("up")
        _vks("demo")
        time.sleep(SETTLE_SECONDS)
        yield NAME
    finally:
        _vks("down", "--purge")


def _vks(command: str, *options: str) -> None:
    environment = {**os.environ, "VKS_LOCAL_REGION": NAME}
    subprocess.run([str(_VKS), command, "--name", NAME, *options], check=True, env=environment)


def _measure(instance: Instance, seconds: float) -> dict[str, dict[str, float]]:
    """Of every program of the region: the share of one core over the time, memory at its end."""
    state = read_state(instance)
    if state is None:
        sys.exit(f"region {instance.name} is not up")
    pids = {"supervisor": state.pid} | {p.name: p.pid for p in state.processes if p.pid}
    before = {name: usage(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    after = {name: usage(pid) for name, pid in pids.items()}
    return {
        name: {
            "cpuPercent": round(100 * (after[name].cpu - before[name].cpu) / seconds, 3),
            "rssMiB": round(after[name].rss / 2**20, 1),
        }
        for name in pids
    }


def _show(processes: dict[str, dict[str, float]], ours: dict[str, float]) -> None:
    rows = {**processes, "our controllers together": ours, "goal": TARGET}
    report.show(
        "An idle region with one cluster",
        ("process", "% of one core", "resident MiB"),
        [(name, f"{row['cpuPercent']:.2f}", f"{row['rssMiB']:.0f}") for name, row in rows.items()],
    )


if __name__ == "__main__":
    main()
