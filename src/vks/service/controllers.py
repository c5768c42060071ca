"""The service's controllers of one region: `python -m vks.service.controllers --config FILE`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vks.kube.config import ClientConfig
from vks.runtime import process
from vks.runtime.logs import configure_logging
from vks.runtime.manager import Manager
from vks.service import config as configuration
from vks.service.caches import Caches
from vks.service.managedcluster import controller as managedcluster
from vks.service.nodepool import controller as nodepool
from vks.service.operation import controller as operation
from vks.service.project import controller as project
from vks.service.repair import breaker
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

    def setup(manager: Manager) -> None:
        caches = Caches.of(manager)
        project.setup(manager, caches, service)
        managedcluster.setup(manager, caches, region)
        nodepool.setup(manager, caches)
        upgrade.setup(manager, caches)
        repair.setup(manager, caches)
        breaker.setup(manager, caches)
        operation.setup(manager, caches, config.operation_retention)

    await process.run(
        PROCESS,
        ClientConfig.from_kubeconfig(args.kubeconfig or region.kubeconfig),
        setup,
        http=(args.http_host, args.http_port),
        election_namespace=args.leader_election_namespace if args.leader_elect else None,
    )


def main(argv: list[str] | None = None) -> None:
    args = arguments(argv)
    configure_logging(args.log_level)
    try:
        process.run_until_complete(run(args))
    except (configuration.ConfigError, InvalidCredentialsError) as error:
        sys.exit(f"{PROCESS}: {error}")


if __name__ == "__main__":
    main()
