"""What every benchmark says about its run: the machine, the versions, medians and spread."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from vks.local.assets.versions import pinned_versions

RESULTS = Path(__file__).parent / "results"
_VALUES = r"\[[^\[\]{}\"]*\]"
_CURVE = re.compile(rf"{_VALUES}|\[\s*{_VALUES}(?:,\s*{_VALUES})*\s*\]")
_ROOT = Path(__file__).parents[1]


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ", 1)[1] for line in cpuinfo if line.startswith("model name")), "")
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memoryGiB": round(pages * size / 2**30, 1),
        "kernel": platform.release(),
        "loadBefore": os.getloadavg()[0],
    }


def versions(**more: str) -> dict[str, str]:
    """Upstream's pinned versions and this checkout's commit."""
    pinned = pinned_versions()
    commit = subprocess.run(
        ["git", "-C", str(_ROOT), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "vks": commit or "unknown",
        "python": platform.python_version(),
        "kubernetes": pinned.kubernetes,
        "clusterAPI": pinned.cluster_api,
        "etcd": pinned.etcd,
        **more,
    }


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median and spread of one figure over the runs."""
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


def write(name: str, results: dict[str, Any]) -> Path:
    """Writes results/NAME.json with the time of the run."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    document = {"benchmark": name, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    path.write_text(_on_one_line(json.dumps(document | results, indent=2)) + "\n")
    return path


def _on_one_line(text: str) -> str:
    """Lists of values, and lists of those: curves of many points would be most of a file."""
    return _CURVE.sub(lambda found: " ".join(found[0].split()), text)


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on the terminal: the first column is text, the others are figures."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    # Where there is no terminal, rich would fold the columns to 80 characters.
    Console(width=None if sys.stdout.isatty() else 140).print(table)
