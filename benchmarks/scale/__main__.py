"""`python -m benchmarks.scale`: many clusters and large ones.

Writes results/scale-SCALE.json and .html. A region of the benchmark's own comes and goes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

from benchmarks import report
from benchmarks.scale import manifests
from benchmarks.scale.measure import Subject, measure, ratios
from benchmarks.scale.page import page
from benchmarks.scale.peer import built, running_peer
from benchmarks.scale.plane import NAME, Plane, running_plane
from benchmarks.scale.topology import OPERATIONS, SCALES, Run, Topology
from vks.local.assets.versions import kubernetes_projects
from vks.local.progress import terminal_progress

#: Seconds that each step of a start takes, and up to a fifth more: as in upstream's scale tests.
START_DELAY = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--scale", choices=[*SCALES], default="small")
    parser.add_argument("--topology", type=Topology.parse, help="only this one, as in 20x3+10")
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=["create", "delete"])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds per operation")
    options = parser.parse_args()
    runs = SCALES[options.scale]
    if options.topology is not None:
        runs = (Run(options.topology, tuple(options.operations), not options.no_peer),)
    with running_plane(START_DELAY) as plane:
        results = asyncio.run(_all(plane, runs, options.timeout))
    name = "scale-" + (options.scale if options.topology is None else str(options.topology))
    result = {
        "scale": name.removeprefix("scale-"),
        "machine": report.machine(),
        "versions": report.versions(),
        "startDelay": START_DELAY,
        "runs": results,
    }
    path = report.write(name, result)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    path.with_suffix(".html").write_text(page({**result, "date": date}))
    print(f"{path}\n{path.with_suffix('.html')}")
    return 0


async def _all(plane: Plane, runs: tuple[Run, ...], timeout: float) -> list[dict[str, Any]]:
    """Both providers are there all the time; they take turns."""
    program, definitions = built(plane.instance.cache, terminal_progress())
    newest, older = sorted(kubernetes_projects(), reverse=True)[:2]
    ours = manifests.ours(NAME, f"debian-12-k8s-{older}")
    found = []
    async with plane.client() as client, running_peer(plane, client, program, definitions) as peer:
        subjects = {
            "vks": Subject(ours, "provider", plane.pids()["provider"], plane.metrics()["provider"]),
            "in-memory": Subject(
                manifests.peer(START_DELAY), "capi-in-memory", peer.pid, peer.metrics
            ),
        }
        for number, run in enumerate(runs):
            measured = {}
            for name, subject in subjects.items():
                if name == "vks" or run.peer:
                    measured[name] = await measure(
                        plane,
                        subject,
                        run.topology,
                        run.operations if name == "vks" else ("create", "delete"),
                        namespace=f"scale-{number}-{name}",
                        versions=(older, newest),
                        timeout=timeout,
                    )
            found.append(_summary(run, measured))
    return found


def _summary(run: Run, measured: dict[str, Any]) -> dict[str, Any]:
    created = {name: figures["create"] for name, figures in measured.items()}
    compared = ratios(created["vks"], created["in-memory"]) if "in-memory" in created else {}
    report.show(
        str(run.topology),
        ("operation", "seconds", "provider CPU s", "provider MiB", "API calls"),
        [
            (
                f"{name}: {operation}",
                f"{one['seconds']:.1f}",
                *(str(one["provider"][key]) for key in ("cpuSeconds", "peakMiB", "requests")),
            )
            for name, figures in measured.items()
            for operation, one in figures.items()
        ],
    )
    if compared:
        print("ratios:", ", ".join(f"{name} {value:g}" for name, value in compared.items()))
    return {
        "topology": str(run.topology),
        "machines": run.topology.machines,
        "ratios": compared,
        "subjects": measured,
    }


if __name__ == "__main__":
    sys.exit(main())
