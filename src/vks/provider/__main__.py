"""`python -m vks.provider`: the infrastructure provider's controllers in one process."""

from __future__ import annotations

import asyncio
import logging
import sys

import structlog

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.provider.options import LEASE_NAME, Options, parse
from vks.provider.setup import setup
from vks.runtime.lease import LeaderElection
from vks.runtime.manager import Manager, run_until_signalled


def configure_logging(level: str) -> None:
    """JSON lines on standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def run(options: Options) -> None:
    config = (
        ClientConfig.from_kubeconfig(options.kubeconfig)
        if options.kubeconfig
        else ClientConfig.in_cluster()
    )
    host, port = options.http
    election = (
        LeaderElection(options.leader_elect_namespace, LEASE_NAME) if options.leader_elect else None
    )
    async with Client(config, user_agent="vks-provider") as client:
        manager = Manager(
            client,
            name="vks-provider",
            http_host=host,
            http_port=port,
            leader_election=election,
        )
        setup(manager, client, options)
        await run_until_signalled(manager)


def main() -> None:
    options = parse()
    configure_logging(options.log_level)
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
