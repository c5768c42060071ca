"""`python -m vks.legacy.server`: the legacy provisioner's hub and controllers in one process."""

from __future__ import annotations

from vks.legacy.server.options import Options, parse
from vks.legacy.server.setup import setup
from vks.runtime import process
from vks.runtime.logs import configure_logging

PROCESS = "vks-legacy"


async def run(options: Options) -> None:
    await process.run(
        PROCESS,
        process.management_cluster(options.kubeconfig),
        lambda manager: setup(manager, manager.client, options),
        http=options.http,
        election_namespace=options.leader_elect_namespace if options.leader_elect else None,
    )


def main() -> None:
    options = parse()
    configure_logging(options.log_level)
    process.run_until_complete(run(options))


if __name__ == "__main__":
    main()
