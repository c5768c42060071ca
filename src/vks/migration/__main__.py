"""`python -m vks.migration`: the controller that moves clusters to Cluster API."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

import structlog

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.migration.controller import setup
from vks.runtime.lease import LeaderElection
from vks.runtime.manager import Manager, run_until_signalled

PROCESS = "vks-migration"


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROCESS, description=__doc__)
    parser.add_argument("--kubeconfig", help="management cluster (default: in-cluster)")
    parser.add_argument("--namespace", help="watch only this namespace")
    parser.add_argument("--http-host", default="127.0.0.1")
    parser.add_argument("--http-port", type=int, help="/healthz, /readyz and /metrics")
    parser.add_argument("--leader-elect", action="store_true", help="when several replicas run")
    parser.add_argument("--leader-election-namespace", default="vks-system")
    return parser.parse_args(argv)


async def run(args: argparse.Namespace) -> None:
    config = (
        ClientConfig.from_kubeconfig(args.kubeconfig)
        if args.kubeconfig
        else ClientConfig.in_cluster()
    )
    election = (
        LeaderElection(args.leader_election_namespace, PROCESS) if args.leader_elect else None
    )
    async with Client(config, user_agent=PROCESS) as client:
        manager = Manager(
            client,
            name=PROCESS,
            http_host=args.http_host,
            http_port=args.http_port,
            leader_election=election,
        )
        setup(manager, namespace=args.namespace)
        await run_until_signalled(manager)


def main() -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(run(arguments()))


if __name__ == "__main__":
    main()
