"""`python -m vks.migration`: the controller that moves clusters to Cluster API."""

from __future__ import annotations

import argparse

from vks.migration import controller as migrations
from vks.migration.fleet import controller as fleets
from vks.runtime import process
from vks.runtime.logs import configure_logging
from vks.runtime.manager import Manager

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
    def setup(manager: Manager) -> None:
        migrations.setup(manager, namespace=args.namespace)
        fleets.setup(manager, namespace=args.namespace)

    await process.run(
        PROCESS,
        process.management_cluster(args.kubeconfig),
        setup,
        http=(args.http_host, args.http_port),
        election_namespace=args.leader_election_namespace if args.leader_elect else None,
    )


def main() -> None:
    configure_logging()
    process.run_until_complete(run(arguments()))


if __name__ == "__main__":
    main()
