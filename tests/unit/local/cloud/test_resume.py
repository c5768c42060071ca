"""What was recorded is done by the next process, whatever happened to this one."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import msgspec
import pytest
from tests.unit.local.cloud.region import (
    SEED,
    Region,
    make_network,
    make_server,
    run_region,
    show_server,
)

from vks.local.cloud.app import Backends, recorded_backends
from vks.local.cloud.backends import RecordedNetworks
from vks.local.cloud.records import RecordsBackend
from vks.local.cloud.seed import SeedError, load_seed
from vks.local.servers import Flavor, ServerError, ServerSpec


async def test_a_server_left_in_build_becomes_active(tmp_path: Path) -> None:
    database = tmp_path / "cloud.db"
    async with run_region(database) as region:
        body = {"fault": {"action": "hold", "path": "^server.create"}}
        await region.operator.ok("POST", "/admin/faults", body)
        demo = await region.login("demo")
        server_id = await make_server(demo, "none")
        await region.settle()
        assert (await show_server(demo, server_id))["status"] == "BUILD"
    async with run_region(database) as region:
        await region.operator.ok("DELETE", "/admin/faults")
        await region.settle()
        demo = await region.login("demo")
        assert (await show_server(demo, server_id))["status"] == "ACTIVE"


async def test_servers_that_nobody_recorded_are_removed() -> None:
    backends = recorded_backends()
    await backends.servers.ensure_running(_stray())
    async with run_region(backends=backends) as region:
        assert await region.cloud.servers.list() == {}


async def test_a_failure_shows_as_the_servers_fault() -> None:
    class Failing(RecordsBackend):
        async def ensure_running(self, spec: ServerSpec) -> None:
            raise ServerError("the pool is full")

    backends = recorded_backends()
    async with run_region(
        backends=Backends(Failing(), backends.networks, backends.balancers)
    ) as region:
        demo = await region.login("demo")
        server_id = await make_server(demo, "none")
        await region.settle()
        seen = await show_server(demo, server_id)
        assert (seen["status"], seen["fault"]["message"]) == ("ERROR", "the pool is full")


async def test_the_fabric_follows_networks_and_routes() -> None:
    class Recorder(RecordedNetworks):
        def __init__(self) -> None:
            self.seen: dict[str, dict[str, str]] = {}

        async def ensure_network(self, network_id: str, cidr: str, gateway: str) -> None:
            self.seen.setdefault(network_id, {})

        async def remove_network(self, network_id: str) -> None:
            self.seen.pop(network_id, None)

        async def set_routes(self, network_id: str, routes: object) -> None:
            self.seen[network_id] = dict(routes)  # type: ignore[call-overload]

    recorder, backends = Recorder(), recorded_backends()
    chosen = Backends(backends.servers, recorder, backends.balancers)
    async with run_region(backends=chosen) as region:
        demo = await region.login("demo")
        network_id, subnet_id = await make_network(demo, cidr="192.0.2.0/24")
        made = await demo.ok("POST", "/network/v2.0/routers", {"router": {"name": "r"}})
        path = f"/network/v2.0/routers/{made['router']['id']}"
        await demo.ok("PUT", path + "/add_router_interface", {"subnet_id": subnet_id})
        routes = {"routes": [{"destination": "10.244.0.0/24", "nexthop": "192.0.2.9"}]}
        await demo.ok("PUT", path + "/add_extraroutes", {"router": routes})
        await region.settle()
        assert recorder.seen == {network_id: {"10.244.0.0/24": "192.0.2.9"}}
        await demo.ok("PUT", path + "/remove_extraroutes", {"router": routes})
        await demo.ok("PUT", path + "/remove_router_interface", {"subnet_id": subnet_id})
        await demo.ok("DELETE", f"/network/v2.0/networks/{network_id}")
        await region.settle()
        assert recorder.seen == {}


async def _start(seed: Path, database: Path, port: int) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vks.local.cloud",
        f"--seed={seed}", f"--database={database}", f"--port={port}",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert b"Verda region" in await process.stdout.readline()
    return process


async def test_kill_9_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    seed, database = tmp_path / "seed.yaml", tmp_path / "cloud.db"
    seed.touch(0o600)
    seed.write_bytes(msgspec.yaml.encode(SEED))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await _start(seed, database, port)
    async with aiohttp.ClientSession() as session:
        region = Region(None, session, f"http://127.0.0.1:{port}")  # type: ignore[arg-type]
        demo = await region.login("demo")
        network_id, _ = await make_network(demo)
        servers = {await make_server(demo, [{"uuid": network_id}]) for _ in range(5)}
        process.send_signal(signal.SIGKILL)
        await process.wait()
        process = await _start(seed, database, port)
        try:
            found: dict[str, str] = {}
            while "BUILD" in found.values() or not found:
                listed = await demo.ok("GET", "/compute/v2.1/servers/detail")
                found = {server["id"]: server["status"] for server in listed["servers"]}
            assert found == dict.fromkeys(servers, "ACTIVE")
            ports = (await demo.ok("GET", "/network/v2.0/ports"))["ports"]
            assert {one["device_id"] for one in ports} == servers
        finally:
            process.terminate()
            await process.wait()


def test_a_seed_that_others_can_read_is_refused(tmp_path: Path) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_bytes(msgspec.yaml.encode(SEED))
    seed.chmod(0o644)
    with pytest.raises(SeedError, match="mode 0600"):
        load_seed(seed)


def _stray() -> ServerSpec:
    return ServerSpec("stray", "stray", "stray", "image", Flavor("f", 1, 1), "tokyo-1", "p")
