"""The server's command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vks.legacy.server.hub import Listener


class HubAddress(NamedTuple):
    """Where agents find the hub, and the authority (PEM) by which they know it."""

    url: str
    ca: str


class Options(NamedTuple):
    """`kubeconfig` None: the Pod's service account."""

    kubeconfig: str | None
    namespace: str | None
    http: tuple[str, int]
    listener: Listener
    address: HubAddress
    leader_elect: bool
    leader_elect_namespace: str
    log_level: str


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Exits with a usage message when the arguments are wrong. Raises OSError for a `--hub-ca`
    that cannot be read."""
    parser = argparse.ArgumentParser(
        prog="vks-legacy", description="Legacy provisioner: hub of the agents, and controllers"
    )
    parser.add_argument("--kubeconfig", help="management cluster (default: in-cluster)")
    parser.add_argument("--namespace", help="watch only this namespace")
    parser.add_argument(
        "--health-addr",
        default="127.0.0.1:9444",
        type=_address,
        help="HOST:PORT of /healthz, /readyz and /metrics",
    )
    parser.add_argument("--hub-listen", default="0.0.0.0:7444", type=_address)
    parser.add_argument("--hub-url", required=True, help="wss://HOST:PORT, as agents reach it")
    parser.add_argument("--hub-cert", required=True, help="PEM file, for the host of --hub-url")
    parser.add_argument("--hub-key", required=True, help="PEM file")
    parser.add_argument("--hub-ca", required=True, type=Path, help="PEM file, handed to agents")
    parser.add_argument("--leader-elect", action="store_true")
    parser.add_argument("--leader-elect-namespace", default="vks-system")
    parser.add_argument(
        "--log-level", default="info", choices=["debug", "info", "warning", "error"]
    )
    given = parser.parse_args(arguments)
    return Options(
        kubeconfig=given.kubeconfig,
        namespace=given.namespace,
        http=given.health_addr,
        listener=Listener(given.hub_listen[0], given.hub_listen[1], given.hub_cert, given.hub_key),
        address=HubAddress(given.hub_url, given.hub_ca.read_text()),
        leader_elect=given.leader_elect,
        leader_elect_namespace=given.leader_elect_namespace,
        log_level=given.log_level,
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)
