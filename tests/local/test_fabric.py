"""The fabric on the real kernel, judged by connections and by counting."""

import asyncio
import subprocess
import sys

import pytest
from tests.support.fabric import NETWORK, port

from vks.local.fabric import DuplicateAddressError, Fabric, Known, PortInUseError
from vks.local.instance import Instance

_ECHO = """
import socket
server = socket.create_server(("", 80))
print("ready", flush=True)
while True:
    peer, who = server.accept()
    peer.sendall(who[0].encode())
    peer.close()
"""
_CALL = """
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], 80), timeout=2, source_address=(sys.argv[2], 0))
    print(s.recv(99).decode())
except OSError as error:
    print("unreachable", error)
"""


def inside(netns: str, program: str, *args: str) -> subprocess.Popen[str]:
    argv = ["nsenter", f"--net=/run/netns/{netns}", sys.executable, "-c", program, *args]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def call(netns: str, address: str, source: str = "0.0.0.0") -> str:
    with inside(netns, _CALL, address, source) as process:
        out, _ = process.communicate(timeout=10)
        return out.strip()


class Listening:
    def __init__(self, netns: str) -> None:
        self._process = inside(netns, _ECHO)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def add_address(netns: str, address: str) -> None:
    subprocess.run(["ip", "-n", netns, "addr", "add", f"{address}/32", "dev", "lo"], check=True)


async def test_servers_of_a_network_reach_each_other_and_no_other_network(fabric: Fabric) -> None:
    await fabric.ensure_network("net-2", "10.60.2.0/24", "10.60.2.1")
    await fabric.ensure_port(port(1), "a")
    await fabric.ensure_port(port(2), "b")
    await fabric.ensure_port(port(1, "net-2", 2), "c")
    with Listening(fabric.server_netns("b")), Listening(fabric.server_netns("c")):
        assert call(fabric.server_netns("a"), "10.60.1.12") == "10.60.1.11"
        assert call(fabric.server_netns("a"), "10.60.2.11").startswith("unreachable")


async def test_pods_of_equal_networks_reach_their_own_and_a_vip(fabric: Fabric) -> None:
    await fabric.ensure_network("net-2", "10.60.2.0/24", "10.60.2.1")
    await fabric.ensure_vip("10.60.0.5")
    for network, third in ((NETWORK, 1), ("net-2", 2)):
        for number in (1, 2):
            server = f"{network}-{number}"
            await fabric.ensure_port(port(number, network, third), server)
            add_address(fabric.server_netns(server), f"10.244.{number}.5")
        await fabric.set_routes(
            network, {f"10.244.{n}.0/24": f"10.60.{third}.{10 + n}" for n in (1, 2)}
        )
    fabric_netns = fabric.server_netns("x").removesuffix(".x")
    with Listening(fabric.server_netns("net-2-2")), Listening(fabric_netns):
        there = fabric.server_netns("net-2-1")
        assert call(there, "10.244.2.5", "10.244.1.5") == "10.244.1.5"
        assert call(there, "10.60.0.5", "10.244.1.5") == "10.244.1.5"
        # the same addresses in the first network lead to its own server, where nobody listens
        here = fabric.server_netns(f"{NETWORK}-1")
        assert call(here, "10.244.2.5", "10.244.1.5").startswith("unreachable")


async def test_the_kernel_refuses_what_is_taken_and_nothing_stays_of_the_attempt(
    fabric: Fabric,
) -> None:
    await fabric.ensure_port(port(1), "a")
    await fabric.ensure_server_netns("b")
    before = await fabric.inventory()
    taken = port(1)
    for address, mac in ((taken.address, "fa:16:3e:99:99:99"), ("10.60.1.99", taken.mac)):
        other = type(taken)("other", NETWORK, mac, address, 24, None)
        with pytest.raises(DuplicateAddressError):
            await fabric.ensure_port(other, "b")
    with pytest.raises(PortInUseError):
        await fabric.ensure_port(port(1), "b")
    assert await fabric.inventory() == before


async def test_routes_are_the_whole_set_that_was_asked_for(fabric: Fabric) -> None:
    await fabric.set_routes(NETWORK, {"10.244.1.0/24": "10.60.1.11", "10.244.2.0/24": "10.60.1.12"})
    wanted = {"10.244.2.0/24": "10.60.1.13", "10.244.3.0/24": "10.60.1.11"}
    await fabric.set_routes(NETWORK, wanted)
    assert (await fabric.inventory()).routes == {NETWORK: wanted}


async def test_everything_may_be_repeated_and_what_is_unknown_is_reclaimed(fabric: Fabric) -> None:
    for _ in range(2):
        await fabric.create()
        await fabric.ensure_network(NETWORK, "10.60.1.0/24", "10.60.1.1")
        await fabric.ensure_port(port(1), "a")
        await fabric.ensure_port(port(2), "b")
        await fabric.ensure_vip("10.60.0.5")
    known = Known(
        networks=frozenset({NETWORK}), ports=frozenset({port(1).id}), servers=frozenset({"a"})
    )
    removed = await fabric.reclaim(known)
    found = await fabric.inventory()
    assert len(removed) == 3
    assert (found.servers, [p.id for p in found.ports]) == (frozenset({"a"}), [port(1).id])
    assert (found.vips, found.strays) == (frozenset(), ())
    assert await fabric.reclaim(known) == []


_CHURN = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.support.fabric import port
from vks.local.fabric import Fabric
from vks.local.instance import Instance

async def main():
    fabric = Fabric(Instance(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[2])))
    print("ready", flush=True)
    while True:
        await fabric.ensure_network("net-2", "10.60.2.0/24", "10.60.2.1")
        await fabric.ensure_port(port(1, "net-2", 2), "a")
        await fabric.set_routes("net-2", {"10.244.0.0/24": "10.60.2.11"})
        await fabric.remove_server_netns("a")
        await fabric.remove_network("net-2")

asyncio.run(main())
"""


async def test_a_kill_at_any_moment_leaves_nothing_that_the_next_one_cannot_mend(
    fabric: Fabric, instance: Instance
) -> None:
    here = __file__.rpartition("/tests/")[0]
    for attempt in range(12):
        argv = [sys.executable, "-c", _CHURN, instance.name, str(instance.home), here]
        victim = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        assert victim.stdout is not None
        await victim.stdout.readline()
        await asyncio.sleep(0.013 * attempt)  # the moment of the kill, not a wait for anything
        victim.kill()
        await victim.wait()
        await fabric.ensure_network("net-2", "10.60.2.0/24", "10.60.2.1")
        await fabric.ensure_port(port(1, "net-2", 2), "a")
        found = await fabric.inventory()
        assert len(found.ports) == 1
        assert found.strays == ()
        await fabric.reclaim(Known(networks=frozenset({NETWORK})))
        left = await fabric.inventory()
        assert (left.servers, set(left.networks), left.ports) == (frozenset(), {NETWORK}, ())
        assert left.strays == ()
