"""The service's controllers of one region: `python -m vks.service.controllers --config FILE`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import structlog

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.runtime.lease import LeaderElection
from vks.runtime.manager import Manager, run_until_signalled
from vks.service import config as configuration
from vks.service.caches import Caches
from vks.service.managedcluster import controller as managedcluster
from vks.service.nodepool import controller as nodepool
from vks.service.operation import controller as operation
from vks.service.project import controller as project
from vks.service.repair import controller as repair
from vks.service.upgrade import controller as upgrade
from vks.verda.credentials import CloudConfig, InvalidCredentialsError

PROCESS = "vks-controllers"


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROCESS, description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="see docs/reference/config.md")
    parser.add_argument("--region", help="which region of the file; the first by default")
    parser.add_argument("--kubeconfig", help="management cluster; the region's by default")
    parser.add_argument("--http-host", default="127.0.0.1")
    parser.add_argument(
        "--http-port", type=int, default=None, help="/healthz, /readyz and /metrics"
    )
    parser.add_argument("--leader-elect", action="store_true", help="when several replicas run")
    parser.add_argument("--leader-election-namespace", default="vks-system")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning"))
    return parser.parse_args(argv)


async def run(args: argparse.Namespace) -> None:
    """Runs until a signal. Raises ConfigError and InvalidCredentialsError."""
    config = configuration.load(args.config)
    region = config.region(args.region) if args.region else config.regions[0]
    service = CloudConfig.from_file(region.cloud.clouds_yaml, region.cloud.cloud)
    kubeconfig = ClientConfig.from_kubeconfig(args.kubeconfig or region.kubeconfig)
    election = (
        LeaderElection(args.leader_election_namespace, PROCESS) if args.leader_elect else None
    )
    async with Client(kubeconfig, user_agent=PROCESS) as client:
        manager = Manager(
            client,
            name=PROCESS,
            http_host=args.http_host,
            http_port=args.http_port,
            leader_election=election,
        )
        caches = Caches.of(manager)
        project.setup(manager, caches, service)
        managedcluster.setup(manager, caches, region)
        nodepool.setup(manager, caches)
        upgrade.setup(manager, caches)
        repair.setup(manager, caches)
        operation.setup(manager, caches, config.operation_retention)
        await run_until_signalled(manager)


def main(argv: list[str] | None = None) -> None:
    args = arguments(argv)
    level = logging.getLevelNamesMapping()[args.log_level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        asyncio.run(run(args))
    except (configuration.ConfigError, InvalidCredentialsError) as error:
        sys.exit(f"{PROCESS}: {error}")


if __name__ == "__main__":
    main()
