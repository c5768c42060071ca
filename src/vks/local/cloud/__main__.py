"""`python -m vks.local.cloud`: run the local Verda.

With `--instance NAME` the seed is HOME/cloud/seed.yaml, the database HOME/cloud/cloud.db and the
port the instance's `cloud` port; run it inside the instance's fabric. Each can be given instead,
which is how tests run it without an instance (back end `records`):

    python -m vks.local.cloud --seed seed.yaml --database cloud.db --port 0
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

from vks.local.cloud.app import (
    Backends,
    hollow_backends,
    open_database,
    real_backends,
    recorded_backends,
    serve,
)
from vks.local.cloud.core.database import Database, DatabaseVersionError
from vks.local.cloud.seed import Seed, SeedError, load_seed
from vks.local.instance import Instance, InstanceNameError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m vks.local.cloud", description=__doc__)
    parser.add_argument("--instance", help="the local region whose cloud this is")
    parser.add_argument("--seed", type=Path)
    parser.add_argument("--database", type=Path)
    parser.add_argument("--port", type=int, help="on 127.0.0.1; 0 lets the kernel pick")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return _run(options)
    except (SeedError, InstanceNameError, DatabaseVersionError, OSError) as wrong:
        print(f"vks cloud: {wrong}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    instance = Instance.named(options.instance) if options.instance else None
    home = instance.home / "cloud" if instance else None
    seed_path = options.seed or (home and home / "seed.yaml")
    database = options.database or (home and home / "cloud.db")
    if seed_path is None or database is None or (instance is None and options.port is None):
        raise SeedError("give --instance, or all of --seed, --database and --port")
    seed = load_seed(seed_path)
    if seed.back_end != "records" and instance is None:
        raise SeedError(f"back end {seed.back_end} needs --instance")
    os.umask(0o077)
    database.parent.mkdir(parents=True, exist_ok=True)
    db = open_database(database)
    port = (
        options.port if options.port is not None or instance is None else instance.ports()["cloud"]
    )
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    try:
        asyncio.run(serve(db, seed, _backends(db, seed, instance), listener))
    finally:
        db.close()
    return 0


def _backends(db: Database, seed: Seed, instance: Instance | None) -> Backends:
    if instance is None or seed.back_end == "records":
        return recorded_backends()
    if seed.back_end == "lxc":
        return real_backends(db, instance, seed.hollow_workers)
    return hollow_backends(db, instance)


if __name__ == "__main__":
    sys.exit(main())
