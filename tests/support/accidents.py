"""What can happen to a server, done to it from outside; each is a context manager."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from tests.support.localregion import PATIENCE, LocalRegion, until

from vks.local.fabric import Fabric
from vks.local.servers.lxc.cgroups import Cgroups, hierarchies

Accident = Callable[[LocalRegion, str], AbstractContextManager[None]]


@contextmanager
def crashed(region: LocalRegion, server_id: str) -> Iterator[None]:
    """Every process of the server is killed; the cloud finds it off, and somebody starts it."""
    groups = Cgroups(f"{region.instance.fabric_netns}.{server_id}", hierarchies())
    for pid in groups.payload():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _is(region, server_id, "SHUTOFF")
    yield
    _start(region, server_id)


@contextmanager
def switched_off(region: LocalRegion, server_id: str) -> Iterator[None]:
    """Stopped by the cloud, as by somebody in another window."""
    region.admin.compute.stop_server(server_id)
    _is(region, server_id, "SHUTOFF")
    yield
    _start(region, server_id)


@contextmanager
def unplugged(region: LocalRegion, server_id: str) -> Iterator[None]:
    """Its cable is pulled: it runs on, and nothing that is sent to it is answered."""
    (cable,) = until(lambda: _cables(region, server_id), bool, PATIENCE)
    command = ["ip", "-n", region.instance.fabric_netns, "link", "set", cable]
    subprocess.run([*command, "down"], check=True)
    yield
    subprocess.run([*command, "up"], check=True)


def _cables(region: LocalRegion, server_id: str) -> list[str]:
    """The other ends of the server's interfaces."""
    ports = asyncio.run(Fabric(region.instance).inventory()).ports
    return [port.interface for port in ports if port.server_id == server_id]


def _is(region: LocalRegion, server_id: str, status: str) -> None:
    until(
        lambda: region.admin.compute.get_server(server_id).status,
        lambda seen: seen == status,
        PATIENCE,
    )


def _start(region: LocalRegion, server_id: str) -> None:
    region.admin.compute.start_server(server_id)
    _is(region, server_id, "ACTIVE")
