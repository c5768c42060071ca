"""They show what prometheus_client's own show for the same values."""

from __future__ import annotations

import random

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from vks.runtime.instruments import Counter, Histogram

BUCKETS = (0.005, 0.5, 1, 2.5, 60)


def text_of(registry: CollectorRegistry) -> list[str]:
    """Without the times of creation, which only the others tell."""
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


def test_a_histogram_reads_like_prometheus_clients() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    about = ("work_seconds", "How long.", ("controller", "kind"))
    histograms = (
        Histogram(*about, buckets=BUCKETS, registry=ours),
        prometheus_client.Histogram(*about, buckets=BUCKETS, registry=theirs),
    )
    rng = random.Random(1)
    values = [*BUCKETS, 0.0, 1e-9, 61.0, 1e6, *(rng.expovariate(0.3) for _ in range(200))]
    for histogram in histograms:
        histogram.labels("nobody", "used")
        for number, value in enumerate(values):
            histogram.labels("one" if number % 3 else 'two "quoted"\n', "x").observe(value)
    assert text_of(ours) == text_of(theirs)
    assert len(text_of(ours)) == 2 + 3 * (len(BUCKETS) + 3)


def test_a_counter_reads_like_prometheus_clients() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    about = ("reconciles_total", "How many.", ("controller", "result"))
    for counter in (
        Counter(*about, registry=ours),
        prometheus_client.Counter(*about, registry=theirs),
    ):
        counter.labels("a", "success")
        for _ in range(3):
            counter.labels("a", "error").inc()
    assert text_of(ours) == text_of(theirs)
    assert 'reconciles_total{controller="a",result="error"} 3.0' in text_of(ours)


def test_a_name_is_registered_once() -> None:
    registry = CollectorRegistry()
    Counter("reconciles_total", "How many.", ("controller",), registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Counter("reconciles_total", "How many.", ("controller",), registry=registry)
