"""Real HAProxy in a real fabric, with clients that notice every refused connection."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.support.fabric import port

from vks.local.fabric import Fabric
from vks.local.instance import Instance
from vks.local.loadbalancer import (
    AdminState,
    Algorithm,
    HealthMonitor,
    Listener,
    LoadBalancer,
    Member,
    MonitorType,
    OperatingStatus,
    Pool,
)
from vks.local.loadbalancer.dataplane import DataPlane
from vks.local.processes import with_argument

MEMBERS = tuple(Member(f"m{n}", f"10.60.1.{10 + n}", 80) for n in (1, 2))
POOL = Pool("p1", Algorithm.ROUND_ROBIN, HealthMonitor(MonitorType.TCP, 200, 2000, 1, 2), MEMBERS)
BALANCER = LoadBalancer("lb1", "10.60.0.5", (Listener("l1", 6443, "p1"),), (POOL,))

_ECHO = """
import asyncio
async def echo(reader, writer):
    while data := await reader.readline():
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "0.0.0.0", 80)
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
_CLIENT = """
import socket, sys, threading
done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
def talk(s):
    s.sendall(b"x\\n")
    assert s.recv(9) == b"x\\n", "connection lost"
long = socket.create_connection(("10.60.0.5", 6443), timeout=3)
count = 0
print("ready", flush=True)
while not done.is_set():
    with socket.create_connection(("10.60.0.5", 6443), timeout=3) as short:
        talk(short)
    talk(long)
    count += 1
print(count)
"""

_IDLE_CLIENT = """
import socket
long = socket.create_connection(("10.60.0.5", 6443), timeout=3)
long.sendall(b"x\\n")
assert long.recv(9) == b"x\\n"
print("ready", flush=True)
long.settimeout(10)
assert long.recv(9) == b""
print("closed")
"""


async def program(netns: str, text: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    argv = ["nsenter", f"--net=/run/netns/{netns}", sys.executable, "-c", text]
    process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


@pytest.fixture
async def servers(fabric: Fabric) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    running = []
    for number in (1, 2):
        await fabric.ensure_port(port(number), f"s{number}")
        running.append(await program(fabric.server_netns(f"s{number}"), _ECHO))
    yield running
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def plane(instance: Instance, fabric: Fabric) -> AsyncIterator[DataPlane]:
    plane = DataPlane(instance, fabric)
    await plane.open()
    yield plane
    for lb_id in await plane.list():
        await plane.remove(lb_id)
    await plane.close()


def haproxies(instance: Instance) -> list[int]:
    return with_argument(str(instance.run / "lb" / "lb1" / "haproxy.cfg"))


def with_members(*members: Member) -> LoadBalancer:
    return replace(BALANCER, pools=(replace(POOL, members=members),))


async def reports(plane: DataPlane, wanted: dict[str, OperatingStatus]) -> None:
    found: dict[str, OperatingStatus] = {}
    for _ in range(250):
        if (found := await plane.status("lb1")) == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"members are {found}, not {wanted}")


async def test_twenty_reloads_lose_and_refuse_no_connection(
    plane: DataPlane, fabric: Fabric, servers: list[asyncio.subprocess.Process]
) -> None:
    await plane.ensure(BALANCER)
    client = await program(fabric.server_netns("s1"), _CLIENT)  # hairpin: its backend is itself
    third = Member("m3", "10.60.1.11", 80)
    for number in range(20):
        members = (*MEMBERS, replace(third, id=f"m{number + 3}")) if number % 2 else MEMBERS[:1]
        await plane.ensure(with_members(*members))
    out, _ = await client.communicate(b"")  # the end of its input is its sign to stop
    assert client.returncode == 0
    assert int(out) > 100


async def test_admin_states_apply_without_another_process(
    plane: DataPlane, instance: Instance, servers: list[asyncio.subprocess.Process]
) -> None:
    await plane.ensure(BALANCER)
    before = haproxies(instance)
    await plane.ensure(
        with_members(
            replace(MEMBERS[0], admin_state=AdminState.DRAINING),
            replace(MEMBERS[1], admin_state=AdminState.DISABLED),
        )
    )
    await reports(plane, {"m1": OperatingStatus.DRAINING, "m2": OperatingStatus.OFFLINE})
    await plane.ensure(BALANCER)
    await reports(plane, {"m1": OperatingStatus.ONLINE, "m2": OperatingStatus.ONLINE})
    assert haproxies(instance) == before


async def test_a_disabled_member_loses_its_connections_in_workers_of_before_a_reload_too(
    plane: DataPlane, fabric: Fabric, servers: list[asyncio.subprocess.Process]
) -> None:
    await plane.ensure(with_members(MEMBERS[0]))
    client = await program(fabric.server_netns("s2"), _IDLE_CLIENT)
    await plane.ensure(BALANCER)  # another member: a reload, after which the old worker lingers
    assert client.returncode is None
    await plane.ensure(
        with_members(replace(MEMBERS[0], admin_state=AdminState.DISABLED), MEMBERS[1])
    )
    out, _ = await asyncio.wait_for(client.communicate(b""), 5)
    assert out == b"closed\n"


async def test_a_dead_member_goes_offline(
    plane: DataPlane, servers: list[asyncio.subprocess.Process]
) -> None:
    await plane.ensure(BALANCER)
    servers[1].kill()
    await reports(plane, {"m1": OperatingStatus.ONLINE, "m2": OperatingStatus.OFFLINE})


async def test_a_successor_adopts_what_runs_and_starts_no_second_one(
    plane: DataPlane, instance: Instance, fabric: Fabric
) -> None:
    await plane.ensure(BALANCER)
    before = haproxies(instance)
    await plane.close()
    successor = DataPlane(instance, fabric)
    await successor.open()
    await successor.ensure(BALANCER)
    assert haproxies(instance) == before
    os.kill(before[0], signal.SIGKILL)
    async with asyncio.timeout(5):
        assert await anext(successor.failures()) == "lb1"
    await successor.ensure(BALANCER)
    assert len(haproxies(instance)) == 2
    await successor.close()


async def test_removal_leaves_no_process_file_or_vip(
    plane: DataPlane, instance: Instance, fabric: Fabric
) -> None:
    await plane.ensure(BALANCER)
    assert (await fabric.inventory()).vips == {"10.60.0.5"}
    for _ in range(2):
        await plane.remove("lb1")
    assert haproxies(instance) == []
    assert await plane.list() == set()
    assert (await fabric.inventory()).vips == frozenset()


async def test_without_listener_there_is_a_vip_and_no_process(
    plane: DataPlane, instance: Instance, fabric: Fabric
) -> None:
    await plane.ensure(BALANCER)
    await plane.ensure(replace(BALANCER, listeners=()))
    assert haproxies(instance) == []
    assert (await fabric.inventory()).vips == {"10.60.0.5"}
    assert await plane.status("lb1") == {}
