"""Puts the cloud together and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from vks.local.cloud.backends import (
    BalancerBackend,
    NetworkBackend,
    RecordedBalancers,
    RecordedNetworks,
)
from vks.local.cloud.cloud import Cloud
from vks.local.cloud.compute.service import COMPUTE
from vks.local.cloud.compute.tables import COMPUTE_TABLES
from vks.local.cloud.core.database import Database
from vks.local.cloud.faults.api import ADMIN
from vks.local.cloud.faults.rules import FAULT_RULES, FaultRules
from vks.local.cloud.http.server import Dispatcher
from vks.local.cloud.identity.service import IDENTITY
from vks.local.cloud.identity.tables import IDENTITY_TABLES
from vks.local.cloud.image.service import IMAGE
from vks.local.cloud.image.tables import IMAGE_TABLES, IMAGES
from vks.local.cloud.lbaas.service import LBAAS
from vks.local.cloud.lbaas.tables import LBAAS_TABLES
from vks.local.cloud.network.service import NETWORK
from vks.local.cloud.network.tables import NETWORK_TABLES
from vks.local.cloud.planting import plant
from vks.local.cloud.records import RecordsBackend
from vks.local.cloud.seed import HollowWorkers, Seed
from vks.local.cloud.work.work import Work
from vks.local.instance import Instance
from vks.local.servers import ServerBackend, ServerError

SERVICES = [IDENTITY, COMPUTE, NETWORK, IMAGE, LBAAS, ADMIN]


@dataclass(frozen=True)
class Backends:
    """`concurrency` is how many servers are worked on at a time."""

    servers: ServerBackend
    networks: NetworkBackend
    balancers: BalancerBackend
    concurrency: int = 16


def open_database(path: Path | str) -> Database:
    db = Database(path)
    tables = (
        *IDENTITY_TABLES,
        *IMAGE_TABLES,
        *NETWORK_TABLES,
        *COMPUTE_TABLES,
        *LBAAS_TABLES,
        FAULT_RULES,
    )
    db.create([statement for table in tables for statement in table.ddl()])
    return db


def recorded_backends() -> Backends:
    """Nothing behind the API: needs no privileges and no fabric."""
    return Backends(RecordsBackend(), RecordedNetworks(), RecordedBalancers())


def real_backends(
    db: Database, instance: Instance, workers: HollowWorkers | None = None
) -> Backends:
    """LXC servers in the instance's fabric, HAProxy in front; `workers`: hollow ones too."""
    from vks.local.fabric import Fabric
    from vks.local.loadbalancer.dataplane import DataPlane
    from vks.local.servers.lxc.backend import LxcBackend

    def image_path(image_id: str) -> Path:
        image = IMAGES.get(db, id=image_id)
        if image is None or not image.path:
            raise ServerError(f"image {image_id} has no content")
        return Path(image.path)

    fabric = Fabric(instance)
    servers: ServerBackend = LxcBackend(instance, fabric, image_path)
    if workers is not None:
        from vks.local.servers.hollow.backend import HollowBackend
        from vks.local.servers.hollow.client import HollowClient
        from vks.local.servers.mixed import MixedBackend

        hollow = HollowBackend(HollowClient(instance.run), partial(_kubernetes_version, db))
        servers = MixedBackend(servers, hollow, workers.real_servers)
    return Backends(servers, fabric, DataPlane(instance, fabric))


def hollow_backends(db: Database, instance: Instance) -> Backends:
    """Servers that only act on their user data, load balancers on loopback addresses."""
    from vks.local.servers.hollow.backend import HollowBackend
    from vks.local.servers.hollow.balancers import HollowBalancers
    from vks.local.servers.hollow.client import HollowClient

    client = HollowClient(instance.run)
    # Starting one is waiting: the number of a real region's hosts bounds nothing here.
    return Backends(
        HollowBackend(client, partial(_kubernetes_version, db)),
        RecordedNetworks(),
        HollowBalancers(client),
        concurrency=1024,
    )


def _kubernetes_version(db: Database, image_id: str) -> str:
    image = IMAGES.get(db, id=image_id)
    if image is None:
        raise ServerError(f"image {image_id} does not exist")
    return str(image.properties.get("vks_kubernetes_version", ""))


@contextlib.asynccontextmanager
async def running(
    db: Database, seed: Seed, backends: Backends, listener: socket.socket
) -> AsyncIterator[Cloud]:
    """The cloud, listening; work that an earlier process left is taken up first."""
    port = listener.getsockname()[1]
    settings = seed.settings(f"http://127.0.0.1:{port}")
    await asyncio.to_thread(plant, db, seed)
    faults = FaultRules(db)
    faults.load()
    work = Work(
        db,
        settings,
        faults,
        backends.servers,
        backends.networks,
        backends.balancers,
        concurrency=backends.concurrency,
    )
    cloud = Cloud(db, settings, backends.servers, backends.balancers, faults, work)
    runner = web.AppRunner(
        Dispatcher(cloud, SERVICES).application(), access_log=None, handle_signals=False
    )
    await runner.setup()
    try:
        await work.start()
        await web.SockSite(runner, listener, backlog=1024).start()
        yield cloud
    finally:
        await runner.cleanup()
        await work.stop()


async def serve(db: Database, seed: Seed, backends: Backends, listener: socket.socket) -> None:
    """Runs until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(db, seed, backends, listener) as cloud:
        print(f"Verda region {cloud.settings.region} at {cloud.settings.url}", flush=True)
        await stop.wait()
