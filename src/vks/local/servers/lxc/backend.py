"""The LXC back end: every server is a system container with a real init.

State is what exists: the disk in the pool, the directory with LXC's configuration, the network
namespace, the processes. Nothing is remembered, so nothing can be remembered wrongly.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from vks.local.fabric import Fabric, FabricError, Port
from vks.local.fabric.command import CommandError
from vks.local.fabric.names import checked_id
from vks.local.fabric.netns import NETNS_DIR
from vks.local.instance import Instance
from vks.local.processes import ExitWatch
from vks.local.servers.lxc import cgroups
from vks.local.servers.lxc.config import Container, render
from vks.local.servers.lxc.container import LxcContainer
from vks.local.servers.lxc.rootfs import RootfsStore
from vks.local.servers.types import (
    PowerChange,
    PowerState,
    ServerError,
    ServerNotFoundError,
    ServerSpec,
)

_HALT_SECONDS = 10.0
_CONSOLE_BYTES = 1024 * 1024


class LxcBackend:
    """A ServerBackend; `images` finds the btrfs subvolume of an image id."""

    def __init__(self, instance: Instance, fabric: Fabric, images: Callable[[str], Path]) -> None:
        self._instance = instance
        self._fabric = fabric
        self._images = images
        self._lxcpath = instance.home / "servers"
        disks = instance.cache / "pool" / "instances" / instance.name
        self._disks = RootfsStore(disks, instance.run / "disks.lock")
        self._hierarchies = cgroups.hierarchies()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._watch = ExitWatch(self._ended)
        self._changes: asyncio.Queue[PowerChange] = asyncio.Queue()

    async def open(self) -> None:
        """Watches the containers that run already."""
        self._lxcpath.mkdir(parents=True, exist_ok=True)
        for server_id in self._ids():
            self._watch_running(server_id)

    async def close(self) -> None:
        self._watch.close()

    async def ensure_running(self, spec: ServerSpec) -> None:
        async with self._working_on(spec.id):
            container = self._container(spec.id)
            if container.monitor() is not None:
                self._watch_running(spec.id)
                return
            await self._disks.ensure(spec, self._images(spec.image))
            self._write(spec.id, {f"eth{index}": port for index, port in enumerate(spec.ports)})
            await self._start(container, self._config(spec))

    async def delete(self, server_id: str) -> None:
        async with self._working_on(server_id):
            self._watch.forget(server_id)
            await self._container(server_id).destroy()
            await self._fabric.remove_server_netns(server_id)
            await self._disks.delete(server_id)
            await asyncio.to_thread(_remove_tree, self._lxcpath / server_id)

    async def stop(self, server_id: str) -> None:
        async with self._working_on(server_id):
            await self._halt(self._existing(server_id), _HALT_SECONDS)

    async def start(self, server_id: str) -> None:
        async with self._working_on(server_id):
            container = self._existing(server_id)
            if container.monitor() is None:
                await self._start(container)

    async def reboot(self, server_id: str, *, hard: bool = False) -> None:
        async with self._working_on(server_id):
            container = self._existing(server_id)
            await self._halt(container, 0.0 if hard else _HALT_SECONDS)
            await self._start(container)

    async def plug_port(self, server_id: str, port: Port) -> None:
        async with self._working_on(server_id):
            self._existing(server_id)
            ports = self._ports(server_id)
            device = next((name for name, other in ports.items() if other.id == port.id), None)
            if device is None:
                free = (f"eth{index}" for index in range(len(ports) + 1))
                device = next(name for name in free if name not in ports)
                self._write(server_id, {**ports, device: port})
            await self._fabric.ensure_port(port, server_id, device)

    async def unplug_port(self, server_id: str, port_id: str) -> None:
        async with self._working_on(server_id):
            ports = self._ports(server_id)
            kept = {name: port for name, port in ports.items() if port.id != port_id}
            if kept != ports:
                await self._fabric.unplug_port(port_id)
                self._write(server_id, kept)

    async def console_output(self, server_id: str, length: int | None = None) -> str:
        self._existing(server_id)
        path = self._lxcpath / server_id / "console.log"
        text = await asyncio.to_thread(_tail, path)
        return text if length is None else "".join(text.splitlines(keepends=True)[-length:])

    async def list(self) -> dict[str, PowerState]:
        return {server_id: self._state(server_id) for server_id in sorted(self._ids())}

    async def changes(self) -> AsyncIterator[PowerChange]:
        while True:
            yield await self._changes.get()

    async def _start(self, container: LxcContainer, config: str | None = None) -> None:
        """Starts from a clean slate: no process, no cgroup, freshly plugged ports."""
        await self._halt(container, 0.0)
        server_id = container.name
        if config is not None:
            _replace(self._lxcpath / server_id / "config", config.encode())
        await self._fabric.ensure_server_netns(server_id)
        for device, port in self._ports(server_id).items():
            # what a previous run of the server did to the interface is gone with it
            await self._fabric.ensure_port(port, server_id, device)
        await self._disks.attach(server_id)
        await container.start()
        self._watch_running(server_id)

    async def _halt(self, container: LxcContainer, timeout: float) -> None:
        self._watch.forget(container.name)
        if timeout:
            await container.halt(timeout)
        await container.destroy()

    @asynccontextmanager
    async def _working_on(self, server_id: str) -> AsyncIterator[None]:
        """One change of a server at a time; the parts' errors become ServerError."""
        lock = self._locks.setdefault(checked_id(server_id), asyncio.Lock())
        async with lock:
            try:
                yield
            except (CommandError, FabricError, OSError) as error:
                raise ServerError(f"server {server_id}: {error}") from error

    def _container(self, server_id: str) -> LxcContainer:
        groups = cgroups.Cgroups(self._prefix + server_id, self._hierarchies)
        return LxcContainer(server_id, self._lxcpath, self._instance.fabric_netns_path, groups)

    def _existing(self, server_id: str) -> LxcContainer:
        if not self._disks.exists(checked_id(server_id)):
            raise ServerNotFoundError(f"server {server_id}")
        return self._container(server_id)

    def _config(self, spec: ServerSpec) -> str:
        container = Container(
            hostname=spec.hostname,
            rootfs=self._disks.path(spec.id),
            netns=NETNS_DIR / self._fabric.server_netns(spec.id),
            directory=self._lxcpath / spec.id,
            cgroup=self._prefix + spec.id,
        )
        return render(container, spec.flavor, cgroup_v2=cgroups.is_v2())

    @property
    def _prefix(self) -> str:
        return f"{self._instance.fabric_netns}."

    def _ids(self) -> set[str]:
        directories = {path.name for path in self._lxcpath.iterdir() if path.is_dir()}
        found = cgroups.names(self._prefix, self._hierarchies)
        running = {name.removeprefix(self._prefix).rpartition(".")[0] for name in found}
        return directories | self._disks.ids() | running

    def _state(self, server_id: str) -> PowerState:
        if self._container(server_id).monitor() is not None:
            return PowerState.RUNNING
        whole = self._disks.exists(server_id) and (self._lxcpath / server_id / "config").exists()
        return PowerState.SHUTDOWN if whole else PowerState.NOSTATE

    def _watch_running(self, server_id: str) -> None:
        monitor = self._container(server_id).monitor()
        if monitor is not None:
            self._watch.watch(server_id, monitor)

    def _ended(self, server_id: str) -> None:
        self._changes.put_nowait(PowerChange(server_id, PowerState.SHUTDOWN))

    def _ports(self, server_id: str) -> dict[str, Port]:
        path = self._lxcpath / server_id / "ports.json"
        if not path.exists():
            return {}
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Port])

    def _write(self, server_id: str, ports: dict[str, Port]) -> None:
        _replace(self._lxcpath / server_id / "ports.json", msgspec.json.encode(ports))


def _replace(path: Path, content: bytes) -> None:
    """Writes the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    partial.write_bytes(content)
    partial.replace(path)


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _CONSOLE_BYTES))
        return file.read().decode(errors="replace")


def _remove_tree(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
