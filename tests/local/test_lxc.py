"""Real containers on a real btrfs pool; what is left is counted from outside."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.fabric import NETWORK, port

from vks.local.fabric import Fabric
from vks.local.instance import Instance
from vks.local.servers import Flavor, PowerState, ServerError, ServerNotFoundError, ServerSpec
from vks.local.servers.lxc import cgroups
from vks.local.servers.lxc.backend import LxcBackend

ID = "0b0d1a52-0000-4000-8000-000000000001"
SPEC = ServerSpec(
    id=ID,
    name="node-1",
    hostname="node-1",
    image="image",
    flavor=Flavor("small", 2, 256),
    zone="tokyo-1",
    project_id="project",
    ports=(port(1),),
    user_data=b"#cloud-config\n",
)


@pytest.fixture
async def backend(instance: Instance, fabric: Fabric, image: Path) -> AsyncIterator[LxcBackend]:
    backend = LxcBackend(instance, fabric, lambda _: image)
    await backend.open()
    try:
        yield backend
    finally:
        for server in await backend.list():
            await backend.delete(server)
        await backend.close()


def monitors(instance: Instance) -> list[int]:
    """LXC's processes of the instance, from the process list; but for their children, which have
    that name too until they become a container's first process."""
    name = f"[lxc monitor] {instance.home}".encode()
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes().startswith(name):
                    stat = (entry / "stat").read_text().rpartition(") ")[2]
                    found[int(entry.name)] = int(stat.split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return [pid for pid, parent in found.items() if parent not in found]


def children(pid: int) -> list[int]:
    return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def assert_nothing_left(instance: Instance, fabric: Fabric) -> None:
    assert monitors(instance) == []
    assert cgroups.names(f"vks-{instance.name}.", cgroups.hierarchies()) == set()
    disks = instance.cache / "pool" / "instances" / instance.name
    assert list(disks.iterdir()) == []
    assert list((instance.home / "servers").iterdir()) == []
    found = await fabric.inventory()
    assert (found.servers, found.ports, found.strays) == (frozenset(), (), ())


async def console_says(backend: LxcBackend, word: str) -> str:
    for _ in range(200):
        if word in (text := await backend.console_output(ID)):
            return text
        await asyncio.sleep(0.02)
    raise AssertionError(f"no {word!r} on the console: {text!r}")


async def test_a_server_lives_through_its_whole_life(
    backend: LxcBackend, instance: Instance, fabric: Fabric
) -> None:
    began = time.monotonic()
    await backend.ensure_running(SPEC)
    assert time.monotonic() - began < 1.0 * (1 + os.getloadavg()[0])
    assert await backend.list() == {ID: PowerState.RUNNING}
    await console_says(backend, "booted")
    disk = instance.cache / "pool" / "instances" / instance.name / ID
    drive = disk / "var/lib/cloud/seed/config_drive/openstack/latest/user_data"
    assert (drive.read_bytes(), drive.stat().st_mode & 0o777) == (b"#cloud-config\n", 0o600)

    await backend.plug_port(ID, port(2))
    assert len((await fabric.inventory()).ports) == 2
    await backend.unplug_port(ID, port(2).id)
    assert [p.id for p in (await fabric.inventory()).ports] == [port(1).id]

    await backend.stop(ID)
    assert await backend.list() == {ID: PowerState.SHUTDOWN}
    await backend.start(ID)
    await backend.reboot(ID, hard=True)
    assert await backend.list() == {ID: PowerState.RUNNING}
    assert len(monitors(instance)) == 1

    await backend.delete(ID)
    await backend.delete(ID)
    assert await backend.list() == {}
    await assert_nothing_left(instance, fabric)
    with pytest.raises(ServerNotFoundError):
        await backend.start(ID)


async def test_a_root_volume_is_as_large_as_it_was_asked_for(
    backend: LxcBackend, instance: Instance, fabric: Fabric
) -> None:
    spec = replace(SPEC, volume_gib=1)
    await backend.ensure_running(spec)
    await console_says(backend, "booted")
    disk = instance.cache / "pool" / "instances" / instance.name / ID
    root = Path(f"/proc/{children(monitors(instance)[0])[0]}/root")
    assert text_of(root / "etc/hostname") == "node-1\n"
    size = shutil.disk_usage(root).total
    assert 0.9 * 2**30 < size < 2**30
    shutil.copy(root / "etc/hostname", root / "kept")
    with pytest.raises(OSError, match="No space left"), (root / "large").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2**30)

    await backend.stop(ID)
    unmount(disk)  # as after a start of the machine
    await backend.start(ID)
    assert text_of(disk / "kept") == "node-1\n"
    await backend.delete(ID)
    await assert_nothing_left(instance, fabric)


async def test_what_a_killed_process_left_of_a_volume_goes_with_its_server(
    backend: LxcBackend, instance: Instance, fabric: Fabric
) -> None:
    half_made(instance.cache / "pool" / "instances" / instance.name)
    assert await backend.list() == {ID: PowerState.NOSTATE}
    await backend.ensure_running(replace(SPEC, volume_gib=1))
    await console_says(backend, "booted")
    await backend.delete(ID)
    half_made(instance.cache / "pool" / "instances" / instance.name)
    await backend.delete(ID)
    await assert_nothing_left(instance, fabric)


def half_made(disks: Path) -> None:
    """Killed when the volume was mounted to be made ready for its server."""
    file, root = disks / f"{ID}.volume.partial", disks / f"{ID}.partial"
    root.mkdir(parents=True)
    with file.open("wb") as sparse:
        sparse.truncate(2**26)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", file], check=True)
    subprocess.run(["mount", "-o", "loop", file, root], check=True)


def unmount(root: Path) -> None:
    subprocess.run(["umount", root], check=True)


def text_of(path: Path) -> str:
    return path.read_text()


async def test_the_flavor_bounds_the_memory(backend: LxcBackend, instance: Instance) -> None:
    await backend.ensure_running(SPEC)
    name = f"vks-{instance.name}.{ID}.payload"
    root, key = (
        (Path("/sys/fs/cgroup"), "memory.max")
        if cgroups.is_v2()
        else (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes")
    )
    assert int((root / name / key).read_text()) == 256 * 2**20


@pytest.mark.parametrize("of_init", [True, False], ids=["init", "monitor"])
async def test_a_server_that_dies_is_told_and_can_be_run_again(
    backend: LxcBackend, instance: Instance, of_init: bool
) -> None:
    await backend.ensure_running(SPEC)
    monitor = monitors(instance)[0]
    os.kill(children(monitor)[0] if of_init else monitor, signal.SIGKILL)
    async with asyncio.timeout(5):
        change = await anext(backend.changes())
    assert (change.id, change.state) == (ID, PowerState.SHUTDOWN)
    await backend.ensure_running(SPEC)
    assert await backend.list() == {ID: PowerState.RUNNING}
    assert len(monitors(instance)) == 1


async def test_servers_outlive_the_back_end_and_its_successor_adopts_them(
    backend: LxcBackend, instance: Instance, fabric: Fabric, image: Path
) -> None:
    await backend.ensure_running(SPEC)
    running = monitors(instance)
    await backend.close()
    successor = LxcBackend(instance, fabric, lambda _: image)
    await successor.open()
    await successor.ensure_running(SPEC)
    assert monitors(instance) == running
    os.kill(running[0], signal.SIGKILL)
    async with asyncio.timeout(5):
        assert (await anext(successor.changes())).id == ID
    await successor.close()


async def test_a_missing_image_is_the_servers_fault_and_leaves_nothing(
    instance: Instance, fabric: Fabric, image: Path
) -> None:
    backend = LxcBackend(instance, fabric, lambda _: image / "absent")
    await backend.open()
    with pytest.raises(ServerError, match="not in the pool"):
        await backend.ensure_running(SPEC)
    await backend.delete(ID)
    assert await backend.list() == {}


_CHURN = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from tests.local.test_lxc import ID, SPEC
from vks.local.fabric import Fabric
from vks.local.instance import Instance
from vks.local.servers.lxc.backend import LxcBackend

async def main():
    home, cache = Path(sys.argv[2]), Path(sys.argv[3])
    instance = Instance(sys.argv[1], home, cache)
    backend = LxcBackend(instance, Fabric(instance), lambda _: cache / "pool" / "image")
    await backend.open()
    print("ready", flush=True)
    while True:
        await backend.ensure_running(SPEC)
        await backend.delete(ID)

asyncio.run(main())
"""


async def test_a_kill_at_any_moment_ends_in_one_server_and_then_in_none(
    backend: LxcBackend, instance: Instance, fabric: Fabric
) -> None:
    here = __file__.rpartition("/tests/")[0]
    paths = [str(instance.home), str(instance.cache), here]
    for attempt in range(10):
        argv = [sys.executable, "-c", _CHURN, instance.name, *paths]
        victim = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        assert victim.stdout is not None
        await victim.stdout.readline()
        await asyncio.sleep(0.023 * attempt)  # the moment of the kill, not a wait for anything
        victim.kill()
        await victim.wait()
        await backend.ensure_running(SPEC)
        assert await backend.list() == {ID: PowerState.RUNNING}
        assert len(monitors(instance)) == 1
        assert [p.id for p in (await fabric.inventory()).ports] == [port(1).id]
        await backend.delete(ID)
        await assert_nothing_left(instance, fabric)
    assert NETWORK in (await fabric.inventory()).networks


def test_nothing_of_lxc_is_seen_on_the_host() -> None:
    shown = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    assert "lxcbr0" not in shown.stdout
