"""Counters and histograms of what happens on one thread.

prometheus_client's take a lock or two for each value, and look through the buckets one by one: a
twentieth of what a reconcile costs. These give it the counts when it is scraped.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

I = TypeVar("I")  # noqa: E741 - an instrument


class Count:
    """How often something happened."""

    def __init__(self) -> None:
        self.value = 0

    def inc(self) -> None:
        self.value += 1


class Distribution:
    """How many values lie in each bucket, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """A value that is a bucket's bound lies in the bucket."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def cumulative(self) -> tuple[list[tuple[str, float]], float]:
        """The bounds with how many values are no larger, and the sum of all: Prometheus' form."""
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        return [*zip(names, map(float, accumulate(self._counts)), strict=True)], self._sum


class _Labelled(Collector, Generic[I]):
    """A metric: an instrument for each combination of label values."""

    def __init__(self, make: Callable[[], I], registry: CollectorRegistry) -> None:
        self._make = make
        self._children: dict[tuple[str, ...], I] = {}
        registry.register(self)

    def labels(self, *values: str) -> I:
        """The one for these values of the labels; from now on it is scraped."""
        if values not in self._children:
            self._children[values] = self._make()
        return self._children[values]

    def describe(self) -> Iterable[Metric]:
        """For the registry: the name, without values."""
        return [self._family({})]

    def collect(self) -> Iterable[Metric]:
        """For the registry, at every scrape."""
        return [self._family(self._children)]

    @abstractmethod
    def _family(self, children: dict[tuple[str, ...], I]) -> Metric: ...


class Counter(_Labelled[Count]):
    """A number that grows; its name ends in `_total`."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label_names: Sequence[str],
        *,
        registry: CollectorRegistry,
    ) -> None:
        self._about = (name, documentation)
        self._label_names = label_names
        super().__init__(Count, registry)

    def _family(self, children: dict[tuple[str, ...], Count]) -> Metric:
        family = CounterMetricFamily(*self._about, labels=self._label_names)
        for values, count in children.items():
            family.add_metric(values, count.value)
        return family


class Histogram(_Labelled[Distribution]):
    """Values by size."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label_names: Sequence[str],
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._about = (name, documentation)
        self._label_names = label_names
        super().__init__(lambda: Distribution(buckets), registry)

    def _family(self, children: dict[tuple[str, ...], Distribution]) -> Metric:
        family = HistogramMetricFamily(*self._about, labels=self._label_names)
        for values, distribution in children.items():
            buckets, total = distribution.cumulative()
            family.add_metric(values, buckets, total)
        return family
