"""The scale benchmark's arithmetic: shapes, percentiles, what is read out of metrics."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from benchmarks import report
from benchmarks.scale.budget import Budget
from benchmarks.scale.manifests import cluster_objects, ours, peer, spread
from benchmarks.scale.measure import cloud_writes, drained
from benchmarks.scale.observe import Life, latencies, percentiles
from benchmarks.scale.page import page
from benchmarks.scale.plot import ticks
from benchmarks.scale.progress import Reached, line
from benchmarks.scale.result import Result
from benchmarks.scale.sample import Metrics, Recording, highest, parse, thinned, waits
from benchmarks.scale.topology import SCALES, Run, Topology

METRICS = """\
# TYPE rest_client_requests_total counter
rest_client_requests_total{code="200",method="PATCH",host="127.0.0.1:7443"} 12
rest_client_requests_total{code="409",method="PATCH",host="127.0.0.1:7443"} 3
rest_client_requests_total{code="200",method="GET",host="127.29.19.2:6443"} 99
# TYPE controller_runtime_reconcile_total counter
controller_runtime_reconcile_total{controller="verdamachine",result="success"} 7
controller_runtime_reconcile_total{controller="verdamachine",result="error"} 1
# TYPE workqueue_depth gauge
workqueue_depth{name="verdamachine",controller="verdamachine"} 4
# TYPE workqueue_queue_duration_seconds histogram
workqueue_queue_duration_seconds_bucket{name="verdamachine",controller="verdamachine",le="+Inf"} 10
workqueue_queue_duration_seconds_count{name="verdamachine",controller="verdamachine"} 10
workqueue_queue_duration_seconds_sum{name="verdamachine",controller="verdamachine"} 2.5
"""


def test_a_topology_is_written_as_it_is_read() -> None:
    topology = Topology.parse("20x3+10")
    assert (topology.machines, str(topology)) == (260, "20x3+10")
    with pytest.raises(ValueError, match="is not CLUSTERS"):
        Topology.parse("20")


def test_workers_are_spread_as_evenly_as_it_goes() -> None:
    assert spread(10, 3) == [4, 3, 3]
    assert sum(spread(997, 3)) == 997


def test_both_providers_get_the_same_machines() -> None:
    topology = Topology.parse("1x3+10")
    for provider in (ours("tokyo"), peer(1.0)):
        objects = cluster_objects("c", topology, provider, "v1.36.3")
        workers = [body["spec"]["replicas"] for kind, body in objects if "Deployment" in kind.kind]
        planes = [body["spec"]["replicas"] for kind, body in objects if "Control" in kind.kind]
        assert (sum(workers), planes) == (10, [3])


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentiles(range(1, 101)) == {"p50": 50, "p90": 90, "p99": 99}
    assert percentiles([5.0]) == {"p50": 5.0, "p90": 5.0, "p99": 5.0}
    assert percentiles([]) == {}


def test_latency_is_between_points_that_were_both_reached() -> None:
    lives = [Life(10.0, "v", {"bootstrap": 11.0, "ready": 15.0}), Life(10.0, "v")]
    found = latencies(lives)
    assert found["created-ready"]["p50"] == 5.0
    assert found["created-bootstrap"]["p50"] == 1.0
    assert "bootstrap-requested" not in found


def test_only_requests_to_the_management_cluster_count() -> None:
    metrics = parse(METRICS, "127.0.0.1:7443")
    assert metrics.requests == {"PATCH 200": 12, "PATCH 409": 3}
    assert metrics.reconciles == {"verdamachine": 8}
    assert metrics.depth == {"verdamachine": 4}


def test_a_wait_is_that_of_the_keys_that_were_taken_meanwhile() -> None:
    metrics = parse(METRICS, "127.0.0.1:7443")
    assert waits(Metrics(), metrics) == {"verdamachine": 0.25}
    assert waits(metrics, metrics) == {}, "nothing was taken"
    assert waits(metrics, Metrics()) == {}, "it was restarted"


def test_queues_are_drained_when_nothing_is_in_them_any_more() -> None:
    began = time.monotonic()
    queues = [(1.0, "provider", "verdamachine", 3), (9.0, "capi-core", "machine", 1)]
    recording = Recording(began=began, queues=queues)
    assert drained(recording, "provider", began + 0.5) == {"verdamachine": 0.5}
    assert drained(recording, "provider", began + 8.0) == {"verdamachine": 0.0}


def test_only_calls_that_change_something_in_the_cloud_are_writes() -> None:
    calls = {
        "compute GET /servers/detail": 9,
        "compute POST /servers": 2,
        "network DELETE /ports/{id}": 1,
        "identity POST /v3/auth/tokens": 1,
    }
    assert cloud_writes(calls) == 3


def test_the_highest_load_is_that_of_ten_seconds() -> None:
    moment = [(float(second), 1.0 if second == 12 else 0.0) for second in range(1, 31)]
    assert highest(moment) == 0.1
    assert highest([(1.0, 0.5), (2.0, 1.0)]) == 0.75
    assert highest([]) == 0.0


def test_a_long_curve_keeps_its_shape() -> None:
    points = [(float(second), float(second % 10)) for second in range(1, 1201)]
    drawn = thinned(points)
    assert len(drawn) == 120
    assert {value for _, value in drawn} == {4.5}
    assert {value for _, value in thinned(points, max)} == {9.0}
    assert thinned([]) == []


def test_nothing_begins_when_the_time_for_all_is_over() -> None:
    began = time.monotonic()
    assert Budget(60.0, 3600.0, began).left() == 60.0
    assert Budget(60.0, 10.0, began).left() <= 10.0
    assert Budget(60.0, 10.0, began - 11.0).left() < 0


def test_progress_says_how_long_the_rest_takes() -> None:
    assert line("1x1+1 vks create", Reached(0, 8), 10.0) == "1x1+1 vks create: 10 s, 0 of 8"
    assert line("c", Reached(2, 8), 10.0) == "c: 10 s, 2 of 8, 30 s to go"
    assert line("idle", Reached(0, 0), 10.0) == "idle: 10 s"


def test_axes_end_at_round_numbers_that_hold_everything() -> None:
    assert ticks(7.0) == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert ticks(1000.0) == [0.0, 500.0, 1000.0]
    assert ticks(0.03)[-1] >= 0.03


def figures(seconds: float, cpu: float, machines: int = 4) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "machines": machines,
        "machineUpdates": 40,
        "latency": {"created-ready": {"p50": 1.0, "p90": 2.0, "p99": 3.0}},
        "cloudCalls": {"compute GET /servers": 5},
        "cloudWrites": 0,
        "drainedAfter": {"verdamachine": 0.0},
        "provider": {"cpuSeconds": cpu, "peakCores": 0.5, "peakMiB": 100.0, "requests": 50},
        "cpuSeconds": {"provider": cpu, "kube-apiserver": 9.0},
        "peakCores": {"provider": 0.5},
        "peakMiB": {"provider": 100.0},
        "load": {"provider": [(1.0, 0.5), (2.0, 0.7)]},
        "queues": {"provider/verdamachine": [(1.0, 3)]},
        "waits": {"provider/verdamachine": [(1.0, 0.25)]},
    }


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    runs = tuple(Run(Topology.parse(f"{count}x1+1")) for count in (2, 4, 8))
    made = Result("small", 1.0, runs)
    made.begin(runs[0])
    return made


def test_what_is_known_is_written_after_every_operation(result: Result) -> None:
    result.note("vks", "create", figures(11.0, 4.0))
    assert result.path is not None
    document = json.loads(result.path.read_text())
    assert document["runs"][0]["subjects"]["vks"]["create"]["seconds"] == 11.0
    assert document["notBegun"] == ["4x1+1", "8x1+1"]
    assert "ratios" not in document["runs"][0]

    result.note("in-memory", "create", figures(10.0, 2.0))
    document = json.loads(result.path.read_text())
    assert document["runs"][0]["ratios"]["provider_cpu"] == 2.0
    assert result.path.with_suffix(".html").exists()


def test_what_was_cut_or_left_out_is_said_and_not_compared(result: Result) -> None:
    cut = {**figures(11.0, 4.0), "cutAfter": 11.0, "reached": [3, 4]}
    result.note("vks", "create", cut)
    result.note("vks", "roll", {"skipped": "after a cut"})
    result.note("in-memory", "create", figures(10.0, 2.0))
    assert result.path is not None
    document = json.loads(result.path.read_text())
    assert "ratios" not in document["runs"][0]
    text = result.path.with_suffix(".html").read_text()
    assert "cut after 11.0: 3 of 4" in text
    assert "after a cut" in text


def test_the_page_stands_alone_and_its_plots_are_well_formed(result: Result) -> None:
    result.note("vks", "create", figures(11.0, 4.0))
    result.note("in-memory", "create", figures(10.0, 2.0))
    assert result.path is not None
    text = result.path.with_suffix(".html").read_text()
    assert "http" not in text
    plots = text.split("<svg")[1:]
    assert len(plots) == 6
    for plot in plots:
        ElementTree.fromstring("<svg" + plot.partition("</svg>")[0] + "</svg>")


def test_the_page_escapes_what_it_is_given() -> None:
    document = {
        "scale": "a<b>",
        "machine": {"cores": 2, "cpu": "x <y>", "memoryGiB": 24},
        "versions": {"vks": "1", "clusterAPI": "v1", "kubernetes": "v1"},
        "startDelay": 1.0,
        "date": "today",
        "runs": [],
    }
    text = page(document)
    assert "x &lt;y&gt;" in text
    assert "a&lt;b&gt;" in text


def test_every_run_begins_with_nothing_and_deletes_last() -> None:
    for runs in SCALES.values():
        for run in runs:
            assert run.operations[0] == "create"
            assert "delete" not in run.operations[:-1]
