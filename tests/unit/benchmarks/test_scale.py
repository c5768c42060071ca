"""The scale benchmark's arithmetic: shapes, percentiles, what is read out of metrics."""

from __future__ import annotations

import time
from xml.etree import ElementTree

import pytest
from benchmarks.scale.manifests import cluster_objects, ours, peer, spread
from benchmarks.scale.measure import drained, latencies, ratios
from benchmarks.scale.observe import Life, percentiles
from benchmarks.scale.page import page
from benchmarks.scale.sample import Recording, parse
from benchmarks.scale.topology import SCALES, Topology

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
    for provider in (ours("tokyo", "image"), peer(1.0)):
        objects = cluster_objects("c", topology, provider, "v1.36.3")
        workers = [body["spec"]["replicas"] for kind, body in objects if "Deployment" in kind.kind]
        planes = [body["spec"]["replicas"] for kind, body in objects if "Control" in kind.kind]
        assert (sum(workers), planes) == (10, [3])


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentiles(range(1, 101)) == {"p50": 50, "p90": 90, "p99": 99}
    assert percentiles([5.0]) == {"p50": 5.0, "p90": 5.0, "p99": 5.0}
    assert percentiles([]) == {}


def test_latency_is_between_points_that_were_both_reached() -> None:
    lives = [Life(10.0, "v", "t", {"bootstrap": 11.0, "ready": 15.0}), Life(10.0, "v", "t")]
    found = latencies(lives)
    assert found["created-ready"]["p50"] == 5.0
    assert found["created-bootstrap"]["p50"] == 1.0
    assert "bootstrap-provisioned" not in found


def test_only_requests_to_the_management_cluster_count() -> None:
    metrics = parse(METRICS, "127.0.0.1:7443")
    assert metrics.requests == {"PATCH 200": 12, "PATCH 409": 3}
    assert metrics.reconciles == {"verdamachine": 8}
    assert metrics.depth == {"verdamachine": 4}


def test_queues_are_drained_when_nothing_is_in_them_any_more() -> None:
    began = time.monotonic()
    queues = [(1.0, "provider", "verdamachine", 3), (9.0, "capi-core", "machine", 1)]
    recording = Recording(began=began, queues=queues)
    assert drained(recording, "provider", began + 0.5) == 0.5
    assert drained(recording, "provider", began + 8.0) == 0.0


def _figures(seconds: float, cpu: float) -> dict[str, object]:
    return {
        "seconds": seconds,
        "machines": 4,
        "machineUpdates": 40,
        "latency": {"created-ready": {"p50": 1.0, "p90": 2.0, "p99": 3.0}},
        "cloudCalls": {"compute GET /servers": 5},
        "drainedAfter": 0.0,
        "provider": {"cpuSeconds": cpu, "peakMiB": 100.0, "requests": 50},
        "load": [(1.0, "provider", 0.5), (2.0, "provider", 0.7)],
        "queues": [(1.0, "provider", "verdamachine", 3)],
    }


def test_ratios_are_ours_in_units_of_the_peers() -> None:
    assert ratios(_figures(11.0, 4.0), _figures(10.0, 2.0)) == {
        "time_to_ready": 1.1,
        "provider_cpu": 2.0,
        "provider_rss": 1.0,
        "api_calls": 1.0,
    }


def test_the_page_stands_alone_and_its_plots_are_well_formed() -> None:
    run = {
        "topology": "2x1+1",
        "machines": 4,
        "ratios": {"time_to_ready": 1.1},
        "subjects": {"vks": {"create": _figures(11.0, 4.0)}},
    }
    machine = {"cores": 2, "cpu": "x <y>", "memoryGiB": 24}
    versions = {"vks": "1", "clusterAPI": "v1", "kubernetes": "v1"}
    text = page(
        {
            "scale": "small",
            "machine": machine,
            "versions": versions,
            "startDelay": 1.0,
            "date": "today",
            "runs": [run],
        }
    )
    assert "http" not in text
    assert "x &lt;y&gt;" in text
    plots = text.split("<svg")[1:]
    assert len(plots) == 2
    for plot in plots:
        ElementTree.fromstring("<svg" + plot.partition("</svg>")[0] + "</svg>")


def test_every_scale_creates_and_deletes() -> None:
    for runs in SCALES.values():
        for run in runs:
            assert {"create", "delete"} <= {*run.operations}
            assert run.operations[-1] == "delete"
