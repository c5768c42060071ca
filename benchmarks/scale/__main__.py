"""`python -m benchmarks.scale`: many clusters and large ones.

Writes results/scale-SCALE.json and .html, after every operation. A region of the benchmark's own
comes and goes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from functools import partial

from benchmarks.scale import manifests
from benchmarks.scale.budget import Budget
from benchmarks.scale.measure import Subject, measure
from benchmarks.scale.peer import built, running_peer
from benchmarks.scale.plane import NAME, Plane, running_plane
from benchmarks.scale.result import Result
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
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds per operation")
    parser.add_argument("--limit", type=float, default=10800.0, help="seconds for everything")
    parser.add_argument("--name", default=NAME, help="of the region that comes and goes")
    options = parser.parse_args()
    budget = Budget(options.timeout, options.limit)
    runs, scale = SCALES[options.scale], options.scale
    if options.topology is not None:
        runs = (Run(options.topology, tuple(options.operations), not options.no_peer),)
        scale = str(options.topology)
    with running_plane(options.name, START_DELAY) as plane:
        result = Result(scale, START_DELAY, runs)
        asyncio.run(_all(plane, runs, budget, result))
    if result.path is not None:
        print(f"{result.path}\n{result.path.with_suffix('.html')}")
    return 0


async def _all(plane: Plane, runs: tuple[Run, ...], budget: Budget, result: Result) -> None:
    """Both providers are there all the time; they take turns."""
    program, definitions = built(plane.instance.cache, terminal_progress())
    newest, older = sorted(kubernetes_projects(), reverse=True)[:2]
    ours = manifests.ours(plane.instance.name)
    async with plane.client() as client, running_peer(plane, client, program, definitions) as peer:
        subjects = (
            Subject(ours, "provider", plane.metrics()["provider"]),
            Subject(manifests.peer(START_DELAY), "capi-in-memory", peer.metrics, peer.pid),
        )
        for number, run in enumerate(runs):
            result.begin(run)
            for subject in subjects if run.peer else subjects[:1]:
                name = subject.infrastructure.name
                await measure(
                    plane,
                    subject,
                    run.topology,
                    run.operations if subject.pid is None else ("create", "delete"),
                    namespace=f"scale-{number}-{name}",
                    versions=(older, newest),
                    budget=budget,
                    note=partial(result.note, name),
                )
            result.show()


if __name__ == "__main__":
    sys.exit(main())
