"""What the programs use while something happens: CPU, memory, requests, queues."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

_SECONDS = 1.0
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 2**10  # VmHWM and VmRSS are in KiB


@dataclass(frozen=True)
class Usage:
    """CPU seconds since its start, and resident memory (now, at most) in MiB."""

    cpu: float
    rss: float
    peak: float


def usage_of(pid: int) -> Usage | None:
    """None when the process is gone."""
    try:
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(") ")[2].split()
        status = Path("/proc", str(pid), "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    sizes = {line.split(":")[0]: line.split()[1] for line in status if line.startswith("Vm")}
    if "VmRSS" not in sizes:
        return None  # a zombie
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return Usage(cpu, int(sizes["VmRSS"]) / _MIB, int(sizes["VmHWM"]) / _MIB)


@dataclass
class Metrics:
    """Of one controller program: requests by verb and outcome, and what its queues hold."""

    requests: Counter[str] = field(default_factory=Counter)
    reconciles: Counter[str] = field(default_factory=Counter)
    depth: Counter[str] = field(default_factory=Counter)


def parse(text: str, host: str) -> Metrics:
    """`host` (HOST:PORT) is the API server whose requests are counted."""
    found = Metrics()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "rest_client_requests_total" and labels.get("host") == host:
                found.requests[f"{labels['method']} {labels['code']}"] += int(sample.value)
            elif sample.name == "controller_runtime_reconcile_total":
                found.reconciles[labels["controller"]] += int(sample.value)
            elif sample.name == "workqueue_depth":
                name = labels.get("controller") or labels["name"]
                found.depth[name] += int(sample.value)
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
    #: (second, program, share of a core)
    load: list[tuple[float, str, float]] = field(default_factory=list)


def _forget_peak(pid: int) -> None:
    with suppress(OSError):  # not permitted: then the peak is since the program's start
        Path("/proc", str(pid), "clear_refs").write_text("5")


@asynccontextmanager
async def recorded(
    pids: Mapping[str, int], metrics: Mapping[str, str], host: str
) -> AsyncIterator[Recording]:
    """Samples the programs while the block runs. Their memory's high-water mark is reset first,
    which the kernel lets their owner do."""
    recording = Recording(began=time.monotonic())
    for pid in pids.values():
        _forget_peak(pid)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        first = {name: await _scrape(session, url, host) for name, url in metrics.items()}
        before = {name: usage_of(pid) for name, pid in pids.items()}
        sampler = asyncio.create_task(_sample(recording, session, pids, metrics, host))
        try:
            yield recording
        finally:
            sampler.cancel()
            await asyncio.gather(sampler, return_exceptions=True)
        for name, pid in pids.items():
            start, end = before[name], usage_of(pid)
            if start is not None and end is not None:
                recording.cpu[name] = round(end.cpu - start.cpu, 2)
                recording.peak[name] = round(end.peak, 1)
        for name, url in metrics.items():
            last = await _scrape(session, url, host)
            recording.requests[name] = last.requests - first[name].requests
            recording.reconciles[name] = last.reconciles - first[name].reconciles


async def _sample(
    recording: Recording,
    session: aiohttp.ClientSession,
    pids: Mapping[str, int],
    metrics: Mapping[str, str],
    host: str,
) -> None:
    known = {name: usage_of(pid) for name, pid in pids.items()}
    moment = time.monotonic()
    while True:
        await asyncio.sleep(_SECONDS)
        now = time.monotonic()
        second = round(now - recording.began, 1)
        for name, pid in pids.items():
            old, new = known[name], usage_of(pid)
            if old is not None and new is not None:
                share = (new.cpu - old.cpu) / (now - moment)
                recording.load.append((second, name, round(share, 3)))
            known[name] = new
        moment = now
        for name, url in metrics.items():
            scraped = await _scrape(session, url, host)
            recording.queues += [
                (second, name, queue, depth) for queue, depth in scraped.depth.items() if depth
            ]


async def _scrape(session: aiohttp.ClientSession, url: str, host: str) -> Metrics:
    try:
        async with session.get(url) as answer:
            return parse(await answer.text(), host)
    except (aiohttp.ClientError, TimeoutError):
        return Metrics()  # it is being restarted, or too busy: the next sample says more
