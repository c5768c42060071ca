"""One run: a provider, a topology, its operations; what it took."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from benchmarks.scale.manifests import Infrastructure
from benchmarks.scale.observe import POINTS, Life, Machines, percentiles
from benchmarks.scale.operations import Fleet
from benchmarks.scale.plane import Plane, prepare_namespace
from benchmarks.scale.sample import Recording, recorded
from benchmarks.scale.topology import Operation, Topology

#: Nothing may be left in a queue that much later than the last machine.
_SETTLE_SECONDS = 5.0


@dataclass(frozen=True)
class Subject:
    """A provider and where it runs: its process, its metrics."""

    infrastructure: Infrastructure
    program: str
    pid: int
    metrics: str


async def measure(
    plane: Plane,
    subject: Subject,
    topology: Topology,
    operations: tuple[Operation, ...],
    *,
    namespace: str,
    versions: tuple[str, str],
    timeout: float,
) -> dict[str, Any]:
    """The figures by operation. Raises TimeoutError when one does not come to its end."""
    pids = {**plane.pids(), subject.program: subject.pid}
    metrics = {**plane.metrics(), subject.program: subject.metrics}
    found: dict[str, Any] = {}
    async with plane.client() as client:
        host = urlsplit(client.config.server).netloc
        await prepare_namespace(plane, client, namespace)
        machines = Machines(client, namespace)
        follower = asyncio.create_task(machines.run())
        fleet = Fleet(
            plane,
            client,
            subject.infrastructure,
            topology,
            namespace,
            machines,
            *versions,
            timeout,
        )
        try:
            for operation in operations:
                updates, calls = machines.updates, Counter(await plane.cloud_calls())
                async with recorded(pids, metrics, host) as recording:
                    began = time.monotonic()
                    done = await fleet.perform(operation)
                    await asyncio.sleep(_SETTLE_SECONDS)
                lives = [life for life in machines.lives.values() if life.created >= began - 1]
                found[operation] = {
                    "seconds": round(done - began, 2),
                    "machines": fleet.topology.machines,
                    "machineUpdates": machines.updates - updates,
                    "latency": latencies(lives),
                    "cloudCalls": dict(Counter(await plane.cloud_calls()) - calls),
                    "drainedAfter": drained(recording, subject.program, done),
                    **figures(recording, subject.program),
                }
        finally:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
    return found


def latencies(lives: list[Life]) -> dict[str, dict[str, float]]:
    """From one point of a machine's life to the next, and from its creation to its end."""
    steps = [("created", "ready"), *zip(("created", *POINTS), POINTS, strict=False)]
    found = {}
    for since, until in steps:
        values = [s for life in lives if (s := life.seconds(since, until)) is not None]
        if values:
            found[f"{since}-{until}"] = percentiles(values)
    return found


def drained(recording: Recording, program: str, done: float) -> float:
    """Seconds from the last machine until the provider's queues were empty for good."""
    last = max((second for second, name, _, _ in recording.queues if name == program), default=0.0)
    return round(max(0.0, recording.began + last - done), 1)


def figures(recording: Recording, program: str) -> dict[str, Any]:
    """The provider's own figures, and everybody's."""
    requests = recording.requests.get(program, Counter())
    return {
        "provider": {
            "cpuSeconds": recording.cpu.get(program),
            "peakMiB": recording.peak.get(program),
            "requests": sum(requests.values()),
            "byVerb": dict(sorted(requests.items())),
            "reconciles": dict(recording.reconciles.get(program, Counter())),
        },
        "cpuSeconds": recording.cpu,
        "peakMiB": recording.peak,
        "requests": {name: sum(counts.values()) for name, counts in recording.requests.items()},
        "load": recording.load,
        "queues": recording.queues,
    }


def ratios(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> dict[str, float]:
    """Ours in units of the peer's, for creating the clusters."""
    pairs = {
        "time_to_ready": (ours["seconds"], peer["seconds"]),
        "provider_cpu": (ours["provider"]["cpuSeconds"], peer["provider"]["cpuSeconds"]),
        "provider_rss": (ours["provider"]["peakMiB"], peer["provider"]["peakMiB"]),
        "api_calls": (ours["provider"]["requests"], peer["provider"]["requests"]),
    }
    return {name: round(mine / theirs, 2) for name, (mine, theirs) in pairs.items() if theirs}
