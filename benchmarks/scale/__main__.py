"""`python -m benchmarks.scale`: many clusters and large ones.

Writes results/scale-SCALE.json and .html, after every operation. For each run a region of the
benchmark's own comes and goes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from functools import partial

from benchmarks.scale import manifests
from benchmarks.scale.budget import Budget
from benchmarks.scale.measure import Subject, measure
from benchmarks.scale.peer import Program, built, running_peer
from benchmarks.scale.plane import NAME, Plane, running_plane
from benchmarks.scale.result import Result
from benchmarks.scale.topology import OPERATIONS, SCALES, Run, Topology
from vks.local.assets.versions import kubernetes_projects
from vks.local.instance import Instance
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
    peer = built(Instance.named(options.name).cache, terminal_progress())
    result = Result(scale, START_DELAY, runs)
    for run in runs:
        if budget.left() <= 0:
            break
        # A region of its own: no run pays for what an earlier one has left, or did not get to.
        with running_plane(options.name, START_DELAY) as plane:
            result.begin(run)
            asyncio.run(_run(plane, run, peer, budget, result))
        result.show()
    if result.path is not None:
        print(f"{result.path}\n{result.path.with_suffix('.html')}")
    return 0


async def _run(plane: Plane, run: Run, peer: Program, budget: Budget, result: Result) -> None:
    """Both providers are there all the time; they take turns. What the peer has made goes with the
    region."""
    newest, older = sorted(kubernetes_projects(), reverse=True)[:2]
    ours = manifests.ours(plane.instance.name)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(plane.client())
        subjects = [Subject(ours, "provider", plane.metrics()["provider"])]
        if run.peer:
            running = await stack.enter_async_context(running_peer(plane, client, peer))
            theirs = manifests.peer(START_DELAY)
            subjects.append(Subject(theirs, "capi-in-memory", running.metrics, running.pid))
        for subject in subjects:
            name = subject.infrastructure.name
            await measure(
                plane,
                subject,
                run.topology,
                run.operations if subject.pid is None else ("create",),
                namespace=f"scale-{name}",
                versions=(older, newest),
                budget=budget,
                note=partial(result.note, name),
            )


if __name__ == "__main__":
    sys.exit(main())
