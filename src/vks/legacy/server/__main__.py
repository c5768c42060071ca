"""`python -m vks.legacy.server`: the legacy provisioner's hub and controllers in one process."""

from __future__ import annotations

import asyncio
import logging
import sys

import structlog

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.legacy.server.options import Options, parse
from vks.legacy.server.setup import setup
from vks.runtime.lease import LeaderElection
from vks.runtime.manager import Manager, run_until_signalled

PROCESS = "vks-legacy"


async def run(options: Options) -> None:
    config = (
        ClientConfig.from_kubeconfig(options.kubeconfig)
        if options.kubeconfig
        else ClientConfig.in_cluster()
    )
    host, port = options.http
    election = (
        LeaderElection(options.leader_elect_namespace, PROCESS) if options.leader_elect else None
    )
    async with Client(config, user_agent=PROCESS) as client:
        manager = Manager(
            client, name=PROCESS, http_host=host, http_port=port, leader_election=election
        )
        setup(manager, client, options)
        await run_until_signalled(manager)


def main() -> None:
    options = parse()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[options.log_level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
