"""Brings a region up and down. Both may be repeated after any crash, and are quick when done."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from vks.local.assets import kubernetes_projects
from vks.local.assets.ensure import ensure_assets, ensure_release
from vks.local.assets.hollow import ensure_hollow
from vks.local.assets.model import Assets
from vks.local.fabric import Fabric
from vks.local.fabric.netns import names as netns_names
from vks.local.image import NodeImage, Pool, ensure_image
from vks.local.instance import Instance
from vks.local.platform import credentials, files, host, management, services
from vks.local.platform.control import Connection, ControlError, Request
from vks.local.platform.layout import Layout, ServerKind
from vks.local.platform.logs import tail
from vks.local.platform.processes import Plan, Process, SupervisorState
from vks.local.platform.procfs import Handle, identity, pids_in_netns
from vks.local.platform.supervisor import Supervisor
from vks.local.platform.supervisor import lock as supervisor_lock
from vks.local.progress import Progress, Step

#: Silence for that long while programs start means that something is wrong.
READY_SECONDS = 120.0
#: How long each step of a hollow server's start takes unless it is said otherwise, in seconds.
START_DELAY = 0.5
_CONNECT_SECONDS = 10.0
_SWEEP_SECONDS = 5.0

_NETNS_DIRECTORY = Path("/run/netns")


class RegionError(RuntimeError):
    """The region cannot be brought to where it should be; the message says what to look at."""


def servers_of(instance: Instance, wanted: ServerKind | None = None) -> ServerKind:
    """What the region's servers are or will be. Raises RegionError for a change of it."""
    known = credentials.recorded_servers(Layout(instance))
    if known is not None and wanted not in (None, known):
        raise RegionError(
            f"region {instance.name} has {known} servers; to get {wanted} ones, remove it first "
            f"(`vks down --name {instance.name} --purge`)"
        )
    return known or wanted or "lxc"


def up(
    instance: Instance,
    progress: Progress,
    servers: ServerKind | None = None,
    kubernetes: Sequence[str] = (),
    start_delay: float = START_DELAY,
    given: Path | None = None,
    *,
    legacy: bool = False,
    hollow_workers: bool = False,
) -> None:
    """Brings the region up. Raises RegionError, and what assets and image raise.

    It offers its own Kubernetes release, those of `kubernetes`, and what it offered before.
    `start_delay` in seconds is how long each step of a hollow server's start takes. `given` is a
    directory of assets to use instead of building them. `legacy` adds the legacy provisioner,
    `hollow_workers` hollow servers beside real ones, both for good.
    """
    with exclusively(instance):
        layout = Layout(instance, servers_of(instance, servers))
        legacy = legacy or credentials.has_legacy(layout)
        if legacy and layout.servers != "lxc":
            raise RegionError("the legacy provisioner's agents run on real servers only (lxc)")
        if hollow_workers and layout.servers != "lxc":
            raise RegionError("hollow workers are for regions of real servers (lxc)")
        if hollow_workers or credentials.has_hollow_workers(layout):
            layout = replace(layout, hollow_workers=True)
        assets = ensure_assets(instance.cache, progress, directory=given)
        if layout.servers == "hollow":
            kubernetes = [*kubernetes_projects()]  # every release: there is nothing to build
        versions = credentials.offered(layout, assets.versions.kubernetes, kubernetes)
        images: dict[str, NodeImage | None] = dict.fromkeys(versions)
        if layout.servers == "lxc":
            Pool(instance.cache).claim(instance.name)
            images |= node_images(instance.cache, assets, versions, progress, given)
        if layout.has_fabric:
            host.prepare(instance.home)
            asyncio.run(Fabric(instance).create())
        ports = instance.ports()
        management.prepare(layout, f"https://127.0.0.1:{ports['management']}")
        credentials.write_all(layout, ports, images, legacy=legacy)
        env = environment(layout)
        behind = None
        if layout.has_hollow:
            program = ensure_hollow(instance.cache, progress)
            instance.run.mkdir(parents=True, exist_ok=True)
            behind = services.hollow(layout, program, start_delay, env)
        wanted = plan(layout, assets, ports, env, behind, legacy=legacy)
        files.write(layout.plan, msgspec.json.format(msgspec.json.encode(wanted)))
        _start(instance, wanted, progress)


def node_images(
    cache: Path,
    assets: Assets,
    versions: Sequence[str],
    progress: Progress,
    given: Path | None = None,
) -> dict[str, NodeImage]:
    """A node image for each Kubernetes version; each knows what the others' clusters run."""
    releases = [
        ensure_release(cache, version, assets, progress, directory=given) for version in versions
    ]
    return {
        release.version: ensure_image(
            cache, release, progress, [other for other in releases if other is not release]
        )
        for release in releases
    }


def environment(layout: Layout) -> dict[str, str]:
    """The whole environment of the region's programs."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "VKS_HOME": str(layout.home.parent),
        "VKS_CACHE": str(layout.instance.cache),
        "PYTHONUNBUFFERED": "1",
    }


def plan(
    layout: Layout,
    assets: Assets,
    ports: dict[str, int],
    env: dict[str, str],
    behind: Process | None,
    *,
    legacy: bool,
) -> Plan:
    """Everything that runs in the region; `behind` is what hollow servers are made of."""
    return Plan(
        processes=(
            *management.processes(layout, assets, ports["management"], env),
            *services.processes(layout, ports, env, behind, legacy=legacy),
        )
    )


def _start(instance: Instance, wanted: Plan, progress: Progress) -> None:
    subprocess.run(
        [sys.executable, "-m", "vks.local.platform.supervisor", str(instance.home)], check=True
    )
    connection = _connect(instance, Request(do="reload"), READY_SECONDS)
    with progress.step(f"Starting region {instance.name}") as overall:
        try:
            for state in connection.states():
                if state.plan == wanted.digest() and _show(state, overall):
                    return
        except (TimeoutError, ControlError) as error:
            raise RegionError(f"{_unsettled(instance)} ({error})") from error
        raise RegionError("the supervisor went away, see `vks logs supervisor`")


def _show(state: SupervisorState, overall: Step) -> bool:
    waiting = [p for p in state.processes if not p.settled]
    overall.advance(len(state.processes) - len(waiting), len(state.processes))
    if waiting:
        first = next((p for p in waiting if p.phase != "Waiting"), waiting[0])
        overall.detail(f"{first.name}: {first.detail or first.phase}")
    return not waiting


def _unsettled(instance: Instance) -> str:
    state = read_state(instance)
    late = [p for p in state.processes if not p.settled] if state else []
    if not late:
        return "the region does not become ready"
    worst = next((p for p in late if p.phase != "Waiting"), late[0])
    log = tail(instance.logs, worst.name, 5)
    return f"{worst.name} does not become ready: {worst.detail or worst.phase}\n{log}".rstrip()


def _connect(instance: Instance, request: Request, timeout: float | None) -> Connection:
    """The supervisor needs a moment until it listens."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while True:
        try:
            return Connection(instance.run, request, timeout)
        except OSError as error:
            if time.monotonic() > deadline:
                raise RegionError("the supervisor does not start, see its log") from error
            time.sleep(0.02)


def read_state(instance: Instance) -> SupervisorState | None:
    """What the supervisor last wrote; None when the region is down or its supervisor died."""
    path = instance.run / "state.json"
    try:
        state = msgspec.json.decode(path.read_bytes(), type=SupervisorState)
    except FileNotFoundError:
        return None
    return state if identity(state.pid) is not None and not supervisor_gone(instance) else None


def supervisor_gone(instance: Instance) -> bool:
    """Whether nobody supervises the instance."""
    path = instance.run / "supervisor.lock"
    if not path.exists():
        return True
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def down(instance: Instance, progress: Progress, *, purge: bool = False) -> None:
    """Stops programs and servers; with `purge`, leaves nothing of the instance."""
    if not instance.home.exists() and not instance.fabric_netns_path.exists():
        return
    with exclusively(instance):
        layout = Layout(instance, servers_of(instance))
        with progress.step(f"Stopping region {instance.name}"):
            _stop_programs(instance)
        if layout.has_fabric:
            with progress.step("Removing servers" if purge else "Stopping servers"):
                if layout.servers == "lxc":
                    asyncio.run(_servers_off(instance, purge))
                asyncio.run(_sweep(instance))
        if purge:
            with progress.step("Removing namespaces and files"):
                if layout.has_fabric:
                    _purge_fabric(instance)
                shutil.rmtree(instance.home)


def _stop_programs(instance: Instance) -> None:
    if not supervisor_gone(instance):
        connection = _connect(instance, Request(do="stop"), None)
        for _ in connection.states():
            continue
    instance.run.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _CONNECT_SECONDS
    while not supervisor_gone(instance) and time.monotonic() < deadline:
        time.sleep(0.02)
    held = supervisor_lock(instance.run)
    try:
        asyncio.run(Supervisor(instance.home).stop())  # programs whose supervisor was killed
    finally:
        (instance.run / "state.json").unlink(missing_ok=True)
        os.close(held)


async def _servers_off(instance: Instance, purge: bool) -> None:
    from vks.local.servers.lxc.backend import LxcBackend

    def image_path(image: str) -> Path:
        raise RegionError(f"no server is made of image {image} while the region goes down")

    backend = LxcBackend(instance, Fabric(instance), image_path)
    await backend.open()
    try:
        off = backend.delete if purge else backend.stop
        await asyncio.gather(*[off(server) for server in await backend.list()])
    finally:
        await backend.close()


async def _sweep(instance: Instance) -> None:
    """Ends what is left in the instance's namespaces (HAProxy, a server's remains)."""
    spaces = [instance.fabric_netns, *netns_names(f"{instance.fabric_netns}.")]
    found = {pid for name in spaces for pid in pids_in_netns(_NETNS_DIRECTORY / name)}
    handles = [h for pid in found if (who := identity(pid)) and (h := Handle.open(who))]
    await asyncio.gather(*(handle.terminate(_SWEEP_SECONDS) for handle in handles))
    for handle in handles:
        handle.close()


def _purge_fabric(instance: Instance) -> None:
    asyncio.run(Fabric(instance).destroy())
    pool = Pool(instance.cache)
    pool.release(instance.name)
    pool.unmount_if_unused()
    host.release(instance.home)


@contextmanager
def exclusively(instance: Instance) -> Iterator[None]:
    """One `up` or `down` of an instance at a time."""
    instance.lock.parent.mkdir(parents=True, exist_ok=True)
    with instance.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
