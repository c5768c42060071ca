"""Metrics under controller-runtime's and client-go's names, so that their dashboards and
alerts work unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from vks.runtime.instruments import Count, Counter, Distribution, Histogram
from vks.runtime.queue import WorkQueue

_RECONCILE_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7),
    *(0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10),
    *(15, 20, 25, 30, 40, 50, 60),
)
_QUEUE_BUCKETS = tuple(10.0**exponent for exponent in range(-8, 4))
_REQUEST_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class Metrics:
    """All metrics of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        one = ("controller",)
        self.reconciles = Counter(
            "controller_runtime_reconcile_total",
            "Total number of reconciliations per controller",
            ("controller", "result"),
            registry=registry,
        )
        self.errors = Counter(
            "controller_runtime_reconcile_errors_total",
            "Total number of reconciliation errors per controller",
            one,
            registry=registry,
        )
        self.terminal_errors = Counter(
            "controller_runtime_terminal_reconcile_errors_total",
            "Total number of terminal reconciliation errors per controller",
            one,
            registry=registry,
        )
        self.panics = Counter(
            "controller_runtime_reconcile_panics_total",
            "Total number of reconciliations that ended in an unforeseen exception",
            one,
            registry=registry,
        )
        self.timeouts = Counter(
            "controller_runtime_reconcile_timeouts_total",
            "Total number of reconciliations that took too long",
            one,
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Length of time per reconciliation per controller",
            one,
            buckets=_RECONCILE_BUCKETS,
            registry=registry,
        )
        self.max_concurrent = Gauge(
            "controller_runtime_max_concurrent_reconciles",
            "Maximum number of concurrent reconciles per controller",
            one,
            registry=registry,
        )
        self.active_workers = Gauge(
            "controller_runtime_active_workers",
            "Number of currently used workers per controller",
            one,
            registry=registry,
        )
        self.requests = Counter(
            "rest_client_requests_total",
            "Number of HTTP requests, partitioned by status code, method, and host.",
            ("code", "method", "host"),
            registry=registry,
        )
        self.request_seconds = Histogram(
            "rest_client_request_duration_seconds",
            "Request latency in seconds, by method and host.",
            ("verb", "host"),
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self.leader = Gauge(
            "leader_election_master_status",
            "Whether the reporting process holds the lease: 1 is leading, 0 is waiting.",
            ("name",),
            registry=registry,
        )
        self.poison = Counter(
            "informer_poison_objects_total",
            "Objects that the server sent and that did not decode",
            ("group", "kind"),
            registry=registry,
        )
        self._queues = _Queues()
        registry.register(self._queues)
        names = ("name", "controller")
        self._adds = Counter(
            "workqueue_adds_total",
            "Total number of adds handled by workqueue",
            names,
            registry=registry,
        )
        self._retries = Counter(
            "workqueue_retries_total",
            "Total number of retries handled by workqueue",
            names,
            registry=registry,
        )
        self._waited = Histogram(
            "workqueue_queue_duration_seconds",
            "How long in seconds an item stays in workqueue before being requested",
            names,
            buckets=_QUEUE_BUCKETS,
            registry=registry,
        )
        self._worked = Histogram(
            "workqueue_work_duration_seconds",
            "How long in seconds processing an item from workqueue takes.",
            names,
            buckets=_QUEUE_BUCKETS,
            registry=registry,
        )

        self._requests: dict[tuple[str, str, str], tuple[Count, Distribution]] = {}

    def request(self, method: str, host: str, code: str, seconds: float) -> None:
        """One request to an API server: a `vks.kube.transport.RequestObserver`."""
        labels = (method, host, code)
        known = self._requests.get(labels)
        if known is None:
            count = self.requests.labels(code, method, host)
            known = self._requests[labels] = (count, self.request_seconds.labels(method, host))
        known[0].inc()
        known[1].observe(seconds)

    def watch_queue(self, name: str, queue: WorkQueue[Any]) -> None:
        """Counts the queue's work from now on, and reports its depth at every scrape."""
        labels = (name, name)
        queue.observer = _ObservedQueue(
            self._adds.labels(*labels),
            self._retries.labels(*labels),
            self._waited.labels(*labels),
            self._worked.labels(*labels),
        )
        self._queues.add(name, queue)


class ControllerMetrics:
    """One controller's, looked up once, and from zero on: so that rate() sees the first error."""

    def __init__(self, metrics: Metrics, controller: str) -> None:
        self.reconciles = {
            result: metrics.reconciles.labels(controller, result)
            for result in ("success", "error", "requeue", "requeue_after")
        }
        self.errors = metrics.errors.labels(controller)
        self.terminal_errors = metrics.terminal_errors.labels(controller)
        self.panics = metrics.panics.labels(controller)
        self.timeouts = metrics.timeouts.labels(controller)
        self.reconcile_seconds = metrics.reconcile_seconds.labels(controller)
        self.max_concurrent = metrics.max_concurrent.labels(controller)
        self.active_workers = metrics.active_workers.labels(controller)


class _ObservedQueue:
    """A `QueueObserver` that counts."""

    def __init__(
        self, adds: Count, retries: Count, waited: Distribution, worked: Distribution
    ) -> None:
        self._adds = adds
        self._retries = retries
        self._waited = waited
        self._worked = worked

    def added(self, priority: int) -> None:
        self._adds.inc()

    def started(self, priority: int, waited: float) -> None:
        self._waited.observe(waited)

    def finished(self, worked: float) -> None:
        self._worked.observe(worked)

    def retried(self) -> None:
        self._retries.inc()


class _Queues(Collector):
    """Gauges that are only worth computing when somebody asks."""

    def __init__(self) -> None:
        self._queues: dict[str, WorkQueue[Any]] = {}

    def add(self, name: str, queue: WorkQueue[Any]) -> None:
        self._queues[name] = queue

    def collect(self) -> Iterable[Metric]:
        names = ("name", "controller")
        depth = GaugeMetricFamily(
            "workqueue_depth",
            "Current depth of workqueue by workqueue and priority",
            labels=(*names, "priority"),
        )
        unfinished = GaugeMetricFamily(
            "workqueue_unfinished_work_seconds",
            "How many seconds of work is in progress and not yet observed by work_duration.",
            labels=names,
        )
        longest = GaugeMetricFamily(
            "workqueue_longest_running_processor_seconds",
            "How many seconds has the longest running processor for workqueue been running.",
            labels=names,
        )
        for name, queue in self._queues.items():
            for priority, count in ({0: 0} | queue.depth_by_priority()).items():
                depth.add_metric((name, name, str(priority)), count)
            running = queue.running_for()
            unfinished.add_metric((name, name), sum(running))
            longest.add_metric((name, name), max(running, default=0.0))
        return depth, unfinished, longest
