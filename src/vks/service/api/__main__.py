"""`python -m vks.service.api --config FILE`: serves the REST API."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import uvicorn

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.runtime.logs import configure_logging
from vks.service import config as configuration
from vks.service.api.app import create_app
from vks.service.api.auth import KeystoneIdentity
from vks.service.api.context import Services
from vks.service.api.regions import Region
from vks.verda.transport import thread_pool

PROCESS = "vks-api"


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROCESS, description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="see docs/reference/config.md")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7080)
    parser.add_argument("--kubeconfig", help="of every region; the configured ones by default")
    return parser.parse_args(argv)


async def run(args: argparse.Namespace) -> None:
    """Serves until a signal. Raises ConfigError."""
    config = configuration.load(args.config)
    async with AsyncExitStack() as stack:
        regions = []
        for region in config.regions:
            access = ClientConfig.from_kubeconfig(args.kubeconfig or region.kubeconfig)
            client = await stack.enter_async_context(Client(access, user_agent=PROCESS))
            regions.append(Region(region, client))
        pool = thread_pool()
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        services = Services(config, tuple(regions), KeystoneIdentity(config, pool))
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(services),
                host=args.host,
                port=args.port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=5,
            )
        )
        await server.serve()


def main(argv: list[str] | None = None) -> None:
    configure_logging()
    try:
        asyncio.run(run(arguments(argv)))
    except configuration.ConfigError as error:
        sys.exit(f"{PROCESS}: {error}")


if __name__ == "__main__":
    main()
