"""What the programs use while something happens: CPU, memory, requests, queues."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

#: Between samples: reading metrics costs the programs that are measured, too.
_SECONDS = 2.0
#: The load that a program is held to is that of ten seconds, not of one busy moment.
WINDOW = 10.0
#: How many points of a curve are kept.
_KEPT = 120
_WAITED = "workqueue_queue_duration_seconds"
_COUNTED = (
    "rest_client_requests_total",
    "controller_runtime_reconcile_total",
    "workqueue_depth",
    f"{_WAITED}_sum",
    f"{_WAITED}_count",
)
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 2**10  # VmHWM is in KiB

#: (second, value)
Point = tuple[float, float]


@dataclass(frozen=True)
class Usage:
    """CPU seconds since its start, and the most memory that was resident, in MiB."""

    cpu: float
    peak: float


def usage_of(pid: int) -> Usage | None:
    """None when the process is gone."""
    try:
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(") ")[2].split()
        status = Path("/proc", str(pid), "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    sizes = {line.split(":")[0]: line.split()[1] for line in status if line.startswith("Vm")}
    if "VmHWM" not in sizes:
        return None  # a zombie
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return Usage(cpu, int(sizes["VmHWM"]) / _MIB)


@dataclass
class Metrics:
    """Of one controller program: requests by verb and outcome, and what its queues hold."""

    requests: Counter[str] = field(default_factory=Counter)
    reconciles: Counter[str] = field(default_factory=Counter)
    depth: Counter[str] = field(default_factory=Counter)
    #: By queue, seconds that all keys together waited in it, and how many those were.
    waited: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    taken: Counter[str] = field(default_factory=Counter)


def parse(text: str, host: str) -> Metrics:
    """`host` (HOST:PORT) is the API server whose requests are counted."""
    found = Metrics()
    # A manager shows thousands of lines; reading them all would be what is measured.
    lines = "\n".join(line for line in text.splitlines() if line.startswith(_COUNTED))
    for family in text_string_to_metric_families(lines + "\n"):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "rest_client_requests_total" and labels.get("host") == host:
                found.requests[f"{labels['method']} {labels['code']}"] += int(sample.value)
            elif sample.name == "controller_runtime_reconcile_total":
                found.reconciles[labels["controller"]] += int(sample.value)
            elif sample.name.startswith("workqueue_"):
                name = labels.get("controller") or labels["name"]
                if sample.name == "workqueue_depth":
                    found.depth[name] += int(sample.value)
                elif sample.name == f"{_WAITED}_sum":
                    found.waited[name] += sample.value
                else:
                    found.taken[name] += int(sample.value)
    return found


@dataclass
class Recording:
    """What was seen between two moments. Counters are differences."""

    began: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)
    requests: dict[str, Counter[str]] = field(default_factory=dict)
    reconciles: dict[str, Counter[str]] = field(default_factory=dict)
    #: (second, program, queue, depth), where something was in a queue
    queues: list[tuple[float, str, str, int]] = field(default_factory=list)
    #: (second, program, queue, seconds that keys had waited in it: the mean since the last sample)
    waits: list[tuple[float, str, str, float]] = field(default_factory=list)
    #: (second, program, share of a core)
    load: list[tuple[float, str, float]] = field(default_factory=list)

    def busiest(self) -> dict[str, float]:
        """The most cores that each program had in use over WINDOW seconds."""
        return {name: highest(points) for name, points in _series(self.load).items()}

    def load_by_name(self) -> dict[str, list[Point]]:
        """Cores in use over time, by program; in a hundred moments or a few more."""
        return {name: thinned(points) for name, points in _series(self.load).items()}

    def depth_by_queue(self) -> dict[str, list[Point]]:
        """Depth over time by PROGRAM/QUEUE, where something was in it: the deepest of moments
        that are thinned out."""
        return _by_queue(self.queues)

    def wait_by_queue(self) -> dict[str, list[Point]]:
        """Seconds in the queue over time by PROGRAM/QUEUE, where keys left it: the longest of
        moments that are thinned out."""
        return _by_queue(self.waits)


def _by_queue(values: Iterable[tuple[float, str, str, float]]) -> dict[str, list[Point]]:
    named = ((second, f"{name}/{queue}", value) for second, name, queue, value in values)
    return {name: thinned(points, max) for name, points in _series(named).items()}


def _series(values: Iterable[tuple[float, str, float]]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for second, name, value in values:
        found.setdefault(name, []).append((second, value))
    return found


def thinned(points: Sequence[Point], join: Callable[[list[float]], float] = fmean) -> list[Point]:
    """Neighbours joined until few enough are left to be drawn and kept."""
    step = -(-len(points) // _KEPT)
    groups = [points[index : index + step] for index in range(0, len(points), step or 1)]
    return [(group[-1][0], round(join([value for _, value in group]), 3)) for group in groups]


def highest(points: Iterable[Point]) -> float:
    """The highest mean over WINDOW seconds; over all of them when they are fewer."""
    known = [*points]
    means: list[float] = []
    for index, (start, _) in enumerate(known):
        window = [value for second, value in known[index:] if second < start + WINDOW]
        if means and known[-1][0] < start + WINDOW - _SECONDS:
            break  # cut short by the end
        means.append(sum(window) / len(window))
    return round(max(means, default=0.0), 3)


def _forget_peak(pid: int) -> None:
    with suppress(OSError):  # not permitted: then the peak is since the program's start
        Path("/proc", str(pid), "clear_refs").write_text("5")


class _Programs:
    """Follows programs by name, also through a restart: a new process begins at zero."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        self._pids = pids
        self._known: dict[str, tuple[int, Usage]] = {}
        for name, pid in pids().items():
            _forget_peak(pid)
            if (usage := usage_of(pid)) is not None:
                self._known[name] = pid, usage

    def spent(self, recording: Recording) -> dict[str, float]:
        """CPU seconds since the last call, by program; adds them up in the recording."""
        found = {}
        for name, pid in self._pids().items():
            usage = usage_of(pid)
            if usage is None:
                continue
            old_pid, old = self._known.get(name, (pid, usage))
            found[name] = usage.cpu - (old.cpu if old_pid == pid else 0.0)
            self._known[name] = pid, usage
            recording.cpu[name] = recording.cpu.get(name, 0.0) + found[name]
            recording.peak[name] = max(recording.peak.get(name, 0.0), usage.peak)
        return found


@asynccontextmanager
async def recorded(
    pids: Callable[[], Mapping[str, int]], metrics: Mapping[str, str], host: str
) -> AsyncIterator[Recording]:
    """Samples the programs while the block runs. Their memory's high-water mark is reset first,
    which the kernel lets their owner do. `metrics` are the addresses of those that have some."""
    recording = Recording(began=time.monotonic())
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        first = {name: await _scrape(session, url, host) for name, url in metrics.items()}
        programs = _Programs(pids)
        sampler = asyncio.create_task(_sample(recording, session, programs, metrics, host, first))
        try:
            yield recording
        finally:
            sampler.cancel()
            await asyncio.gather(sampler, return_exceptions=True)
            programs.spent(recording)
            for name, url in metrics.items():
                last = await _scrape(session, url, host)
                recording.requests[name] = _growth(first[name].requests, last.requests)
                recording.reconciles[name] = _growth(first[name].reconciles, last.reconciles)


def _growth(before: Counter[str], after: Counter[str]) -> Counter[str]:
    """What was counted in between; a program that was restarted counts from zero."""
    restarted = any(after[name] < count for name, count in before.items())
    return Counter(after) if restarted else after - before


async def _sample(
    recording: Recording,
    session: aiohttp.ClientSession,
    programs: _Programs,
    metrics: Mapping[str, str],
    host: str,
    first: Mapping[str, Metrics],
) -> None:
    moment, known = time.monotonic(), dict(first)
    while True:
        await asyncio.sleep(_SECONDS)
        now = time.monotonic()
        second = round(now - recording.began, 1)
        recording.load += [
            (second, name, round(spent / (now - moment), 3))
            for name, spent in programs.spent(recording).items()
        ]
        moment = now
        for name, url in metrics.items():
            scraped = await _scrape(session, url, host)
            recording.queues += [
                (second, name, queue, depth) for queue, depth in scraped.depth.items() if depth
            ]
            recording.waits += [
                (second, name, queue, wait) for queue, wait in waits(known[name], scraped).items()
            ]
            known[name] = scraped


def waits(before: Metrics, after: Metrics) -> dict[str, float]:
    """By queue, the mean wait of the keys that were taken meanwhile. After a restart, when counts
    are smaller, it says nothing."""
    return {
        queue: round((after.waited[queue] - before.waited[queue]) / taken, 4)
        for queue, count in after.taken.items()
        if (taken := count - before.taken[queue]) > 0
    }


async def _scrape(session: aiohttp.ClientSession, url: str, host: str) -> Metrics:
    try:
        async with session.get(url) as answer:
            return parse(await answer.text(), host)
    except (aiohttp.ClientError, TimeoutError):
        return Metrics()  # it is being restarted, or too busy: the next sample says more
