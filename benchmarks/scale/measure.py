"""One run: a provider, a topology, its operations; what it took."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from benchmarks.scale.budget import Budget
from benchmarks.scale.manifests import Infrastructure
from benchmarks.scale.observe import Machines, latencies
from benchmarks.scale.operations import Fleet
from benchmarks.scale.plane import Plane, prepare_namespace
from benchmarks.scale.progress import shown
from benchmarks.scale.sample import Recording, recorded
from benchmarks.scale.topology import Operation, Topology

#: Nothing may be left in a queue that much later than the last machine.
_SETTLE_SECONDS = 5.0

Figures = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """A provider and where it runs: its process when it is none of the region's, its metrics."""

    infrastructure: Infrastructure
    program: str
    metrics: str
    pid: int | None = None


async def measure(
    plane: Plane,
    subject: Subject,
    topology: Topology,
    operations: tuple[Operation, ...],
    *,
    namespace: str,
    versions: tuple[str, str],
    budget: Budget,
    note: Callable[[Operation, Figures], None],
) -> None:
    """Passes the figures of each operation to `note`. One that takes too long is cut, and what
    builds on it is left out; its clusters are deleted all the same."""
    async with plane.client() as client:
        await prepare_namespace(plane, client, namespace)
        machines = Machines(client, namespace)
        follower = asyncio.create_task(machines.run())
        infrastructure = subject.infrastructure
        fleet = Fleet(plane, client, infrastructure, topology, namespace, machines, *versions)
        title = f"{topology} {infrastructure.name}"
        cut = False
        try:
            for operation in operations:
                left = budget.left()
                if left <= 0 or (cut and operation != "delete"):
                    note(operation, {"skipped": "out of time" if left <= 0 else "after a cut"})
                    continue
                async with shown(f"{title} {operation}", lambda: fleet.reached()):
                    figures = await _operation(fleet, subject, operation, left)
                cut = cut or "cutAfter" in figures
                note(operation, figures)
        finally:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)


async def _operation(fleet: Fleet, subject: Subject, operation: Operation, left: float) -> Figures:
    plane, machines, program = fleet.plane, fleet.machines, subject.program
    own = {} if subject.pid is None else {program: subject.pid}
    metrics = {**plane.metrics(), program: subject.metrics}
    host = urlsplit(fleet.client.config.server).netloc
    updates, calls = machines.updates, Counter(await plane.cloud_calls())
    end: float | None = None
    async with recorded(lambda: {**plane.pids(), **own}, metrics, host) as recording:
        began = time.monotonic()
        try:
            async with asyncio.timeout(left):
                end = await fleet.perform(operation)
        except TimeoutError:
            cut = {"cutAfter": round(left, 1), "reached": [*fleet.reached()]}
        else:
            cut = {}
            await asyncio.sleep(_SETTLE_SECONDS)
    done = time.monotonic() if end is None else end
    calls = Counter(await plane.cloud_calls()) - calls
    return {
        "seconds": round(done - began, 2),
        **cut,
        "machines": fleet.topology.machines,
        "machineUpdates": machines.updates - updates,
        "latency": latencies(life for life in machines.lives.values() if life.created >= began - 1),
        "cloudCalls": dict(calls),
        "cloudWrites": cloud_writes(calls),
        "drainedAfter": drained(recording, program, done),
        **figures(recording, program),
    }


def cloud_writes(calls: Mapping[str, int]) -> int:
    """Calls that change something in the cloud; to log in is none."""
    return sum(
        count
        for kind, count in calls.items()
        if not kind.startswith(("identity ", "admin ")) and kind.split()[1] not in ("GET", "HEAD")
    )


def drained(recording: Recording, program: str, done: float) -> dict[str, float]:
    """By queue, seconds from the last machine until it was empty for good."""
    last: dict[str, float] = dict.fromkeys(recording.reconciles.get(program, ()), 0.0)
    for second, name, queue, _ in recording.queues:
        if name == program:
            last[queue] = max(last.get(queue, 0.0), second)
    after = {queue: recording.began + second - done for queue, second in last.items()}
    return {queue: round(max(0.0, seconds), 1) for queue, seconds in sorted(after.items())}


def figures(recording: Recording, program: str) -> Figures:
    """The provider's own figures, and everybody's."""
    requests = recording.requests.get(program, Counter())
    cpu = {name: round(seconds, 2) for name, seconds in recording.cpu.items()}
    busiest = recording.busiest()
    peak = {name: round(mib, 1) for name, mib in recording.peak.items()}
    return {
        "provider": {
            "cpuSeconds": cpu.get(program),
            "peakCores": busiest.get(program),
            "peakMiB": peak.get(program),
            "requests": sum(requests.values()),
            "byVerb": dict(sorted(requests.items())),
            "reconciles": dict(recording.reconciles.get(program, Counter())),
        },
        "cpuSeconds": cpu,
        "peakCores": busiest,
        "peakMiB": peak,
        "requests": {name: sum(counts.values()) for name, counts in recording.requests.items()},
        "load": recording.load_by_name(),
        "queues": recording.depth_by_queue(),
        "waits": recording.wait_by_queue(),
    }
