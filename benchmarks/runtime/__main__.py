"""`python -m benchmarks.runtime`: the programs in turn, each with a fresh API server."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.apiserver import ApiServer, running_apiserver

from benchmarks import report
from benchmarks.runtime import load
from benchmarks.runtime.load import Observer
from benchmarks.runtime.subject import Process, Subject, running, subjects
from benchmarks.runtime.widget import NAMESPACE, Widget, definition, new
from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.kube.objects import Resource

BUILD = Path(__file__).parents[2] / "build" / "bench-runtime"
#: Where etcd keeps its data. On a disk one second in which it is written back to has more slow
#: answers than the slowest hundredth of a run, so that one compared the disk's luck.
_IN_MEMORY = Path("/dev/shm")
#: The goals, as ratios of ours to theirs.
TARGET = {"cpuToKopf": 1 / 8, "cpuToControllerRuntime": 4.0, "p99ToControllerRuntime": 1.0}
_CRDS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
_PROBE = "probe"
_PATIENCE = 900.0


class Load(NamedTuple):
    """Rates are per second: below what the API server sustains on two cores beside ours or
    controller-runtime's, or it is its queues whose latency is compared. kopf does not keep up with
    them, which shows in its wall time."""

    objects: int
    updates: int
    create_rate: float
    update_rate: float
    workers: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-runtime", description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--updates", type=int, default=20_000)
    parser.add_argument("--create-rate", type=float, default=150.0)
    parser.add_argument("--update-rate", type=float, default=150.0)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--only", action="append", help="of vks, kopf, controller-runtime")
    options = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    wanted = subjects(BUILD)
    chosen = [wanted[name] for name in options.only or wanted]
    machine = report.machine()
    load_ = Load(
        options.objects,
        options.updates,
        options.create_rate,
        options.update_rate,
        options.workers,
    )
    runs: dict[str, list[dict[str, Any]]] = {subject.name: [] for subject in chosen}
    for _ in range(options.runs):
        for subject in chosen:
            figures = _run(subject, load_)
            runs[subject.name].append(figures)
            print(f"{subject.name}: {figures}", flush=True)
    results = _results(machine, chosen, load_, runs)
    _show(results)
    if options.only is None:
        print(f"written: {report.write('runtime', results)}")


def _run(subject: Subject, load_: Load) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-runtime-", dir=_IN_MEMORY) as name:
        directory = Path(name)
        with running_apiserver(directory) as server:
            kubeconfig = directory / "kubeconfig"
            kubeconfig.write_bytes(server.kubeconfig)
            log = BUILD / f"{subject.name}.log"
            return asyncio.run(_measure(subject, load_, server, kubeconfig, log))


async def _measure(
    subject: Subject, load_: Load, server: ApiServer, kubeconfig: Path, log: Path
) -> dict[str, Any]:
    async with Client(server.config, user_agent="bench-load") as client:
        await client.apply(_CRDS, definition(), field_manager="bench")
        await _served(client)
        with running(subject, kubeconfig, load_.workers, log) as process:
            observer = Observer(client)
            watching = asyncio.create_task(observer.run())
            try:
                await _ready(client, observer)
                return await _phases(client, observer, process, load_)
            finally:
                process.require_alive()
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)


async def _phases(
    client: Client, observer: Observer, process: Process, load_: Load
) -> dict[str, Any]:
    requests = await load.requests(client)
    cpu, began = process.cpu(), time.perf_counter()
    observer.latencies.clear()
    await load.create(client, observer, load_.objects, load_.create_rate)
    await observer.wait(_PATIENCE)
    created, created_at = process.cpu(), time.perf_counter()
    creations = sorted(observer.latencies)
    observer.latencies.clear()
    await load.update(client, observer, load_.objects, load_.updates, load_.update_rate)
    await observer.wait(_PATIENCE)
    updated, ended = process.cpu(), time.perf_counter()
    done = await load.requests(client) - requests
    done.subtract({"POST 201": load_.objects, "PATCH 200": load_.updates})
    return {
        "cpuSeconds": round(updated - cpu, 2),
        "cpuPerObjectMicroseconds": round((created - cpu) / load_.objects * 1e6),
        "cpuPerUpdateMicroseconds": round((updated - created) / load_.updates * 1e6),
        "wallSeconds": round(ended - began, 1),
        "createWallSeconds": round(created_at - began, 1),
        "peakRssMiB": round(process.peak_rss(), 1),
        "createLatencyP99Milliseconds": _percentile(creations, 0.99),
        "updateLatencyP50Milliseconds": _percentile(sorted(observer.latencies), 0.5),
        "updateLatencyP99Milliseconds": _percentile(sorted(observer.latencies), 0.99),
        "requests": {kind: count for kind, count in sorted(done.items()) if count > 0},
    }


async def _served(client: Client) -> None:
    """Waits until the new kind can be listed."""
    while True:
        try:
            await client.list(Widget)
        except NotFound:
            await asyncio.sleep(0.1)
        else:
            return


async def _ready(client: Client, observer: Observer) -> None:
    """Waits until the program has answered to one object, and removes it."""
    made = await client.create(Widget, new(_PROBE))
    await asyncio.sleep(0)
    observer.want(_PROBE, made.metadata.generation)
    await observer.wait(60.0)
    await client.delete(Widget, _PROBE, NAMESPACE)
    while any(found.metadata.name == _PROBE for found in (await client.list(Widget)).items):
        await asyncio.sleep(0.1)
    await asyncio.sleep(2.0)  # what the start set in motion is over


def _percentile(ordered: Sequence[float], share: float) -> float:
    """In milliseconds."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)


def _results(
    machine: dict[str, Any],
    chosen: Sequence[Subject],
    load_: Load,
    runs: Mapping[str, Sequence[dict[str, Any]]],
) -> dict[str, Any]:
    medians = {
        name: {
            key: round(statistics.median(run[key] for run in found), 2)
            for key in found[0]
            if key != "requests"
        }
        for name, found in runs.items()
    }
    return {
        "machine": machine,
        "versions": report.versions(**{subject.name: subject.version for subject in chosen}),
        "load": load_._asdict(),
        "target": TARGET,
        "ratios": _ratios(medians),
        "medians": medians,
        "runs": runs,
    }


def _ratios(medians: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Ours to theirs: smaller is better."""
    names = {
        "cpu": "cpuSeconds",
        "wall": "wallSeconds",
        "rss": "peakRssMiB",
        "p99": "updateLatencyP99Milliseconds",
    }
    others = {"kopf": "ToKopf", "controller-runtime": "ToControllerRuntime"}
    return {
        f"{figure}{suffix}": round(medians["vks"][key] / medians[other][key], 3)
        for other, suffix in others.items()
        if other in medians and "vks" in medians
        for figure, key in names.items()
    }


def _show(results: dict[str, Any]) -> None:
    medians = results["medians"]
    keys = next(iter(medians.values())).keys()
    rows = [(key, *(f"{medians[name][key]:g}" for name in medians)) for key in keys]
    report.show("Medians", ("", *medians), rows)
    report.show(
        "Ours to theirs",
        ("", "ratio", "target"),
        [
            (name, f"{value:g}", f"{results['target'].get(name, '')}")
            for name, value in results["ratios"].items()
        ],
    )


if __name__ == "__main__":
    main()
