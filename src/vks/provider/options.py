"""The provider's command line: the flags that Cluster API expects of every provider."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

LEASE_NAME = "vks-provider"


@dataclass(frozen=True)
class Options:
    """`kubeconfig` None: the Pod's service account."""

    kubeconfig: str | None
    namespace: str | None
    watch_filter: str | None
    health_addr: str
    concurrency: int
    sync_period: float
    leader_elect: bool
    leader_elect_namespace: str
    log_level: str

    @property
    def http(self) -> tuple[str, int]:
        host, _, port = self.health_addr.rpartition(":")
        return host or "127.0.0.1", int(port)


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Exits with a usage message when the arguments are wrong."""
    parser = argparse.ArgumentParser(
        prog="vks-provider", description="Cluster API infrastructure provider for Verda"
    )
    parser.add_argument("--kubeconfig", help="management cluster (default: in-cluster)")
    parser.add_argument("--namespace", help="watch only this namespace")
    parser.add_argument(
        "--watch-filter", help="watch only objects labelled cluster.x-k8s.io/watch-filter=VALUE"
    )
    parser.add_argument(
        "--health-addr",
        default="127.0.0.1:9440",
        type=_address,
        help="HOST:PORT of /healthz, /readyz and /metrics",
    )
    parser.add_argument(
        "--metrics-addr",
        type=_address,
        help="same as --health-addr: one listener serves both",
        dest="health_addr",
    )
    parser.add_argument("--concurrency", type=int, default=20, help="reconciles at a time, a kind")
    parser.add_argument("--sync-period", type=float, default=36_000.0, help="full resync, seconds")
    parser.add_argument("--leader-elect", action="store_true")
    parser.add_argument("--leader-elect-namespace", default="vks-system")
    parser.add_argument(
        "--log-level", default="info", choices=["debug", "info", "warning", "error"]
    )
    return Options(**vars(parser.parse_args(arguments)))


def _address(text: str) -> str:
    _, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise argparse.ArgumentTypeError("expected HOST:PORT")
    return text
