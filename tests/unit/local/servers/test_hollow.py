"""The hollow back end's ends: what it tells `vks-hollow`, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.unit.local.servers.test_configdrive import SPEC

from vks.local.loadbalancer import (
    AdminState,
    HealthMonitor,
    Listener,
    LoadBalancer,
    LoadBalancerError,
    Member,
    MonitorType,
    OperatingStatus,
    Pool,
)
from vks.local.servers import PowerState, ServerError, ServerNotFoundError
from vks.local.servers.hollow.backend import HollowBackend, hollow_server
from vks.local.servers.hollow.balancers import HollowBalancers, hollow_balancer
from vks.local.servers.hollow.client import SOCKET, HollowClient


class Hollow:
    """Stands in for `vks-hollow`: remembers what was put, answers what a test says."""

    def __init__(self) -> None:
        self.put: dict[str, Any] = {}
        self.refuse = ""
        self.online: dict[str, bool] = {}

    async def handle(self, request: web.Request) -> web.Response:
        if self.refuse:
            return web.Response(status=500, text=self.refuse)
        if request.method == "PUT":
            self.put[request.path] = await request.json()
            return web.Response(status=204)
        if request.method == "DELETE":
            self.put.pop(request.path, None)
            return web.Response(status=204)
        if request.path == "/servers":
            return web.json_response({"a": True, "b": False})
        if request.path.startswith("/loadbalancers/"):
            return web.json_response(self.online)
        return web.Response(status=404)


@pytest.fixture
async def hollow(tmp_path: Path) -> AsyncIterator[Hollow]:
    made = Hollow()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / SOCKET)).start()
    yield made
    await runner.cleanup()


@pytest.fixture
async def client(tmp_path: Path, hollow: Hollow) -> AsyncIterator[HollowClient]:
    made = HollowClient(tmp_path)
    yield made
    await made.close()


def balancer(state: AdminState = AdminState.ENABLED, weight: int = 1) -> LoadBalancer:
    member = Member("m-1", "10.128.0.5", 6443, weight, state)
    pool = Pool("p-1", health_monitor=HealthMonitor(MonitorType.TCP), members=(member,))
    return LoadBalancer("lb-1", "127.29.19.2", (Listener("l-1", 6443, "p-1"),), (pool,))


async def test_a_server_is_made_of_its_spec(client: HollowClient, hollow: Hollow) -> None:
    await HollowBackend(client, lambda image: f"v-of-{image}").ensure_running(SPEC)
    sent = hollow.put[f"/servers/{SPEC.id}"]
    assert (sent["address"], sent["cpus"], sent["memoryMiB"]) == ("10.60.1.11", 2, 1024)
    assert sent["version"] == "v-of-image"
    assert sent["bootstrap"] is None


def test_unusable_user_data_is_the_servers_problem_not_the_clouds() -> None:
    sent = hollow_server(replace(SPEC, user_data=b"#cloud-config\n\t{"), "v1.36.3")
    assert sent["bootstrap"] is None
    assert "not a cloud-config" in sent["problem"]


async def test_power_states_are_novas(client: HollowClient) -> None:
    states = await HollowBackend(client, str).list()
    assert states == {"a": PowerState.RUNNING, "b": PowerState.SHUTDOWN}


async def test_an_unknown_server_is_not_found(client: HollowClient) -> None:
    with pytest.raises(ServerNotFoundError):
        await HollowBackend(client, str).console_output("nobody")


async def test_a_refusal_is_a_fault_and_silence_is_tried_again(
    client: HollowClient, hollow: Hollow, tmp_path: Path
) -> None:
    hollow.refuse = "the address is taken"
    with pytest.raises(ServerError, match="the address is taken"):
        await HollowBackend(client, str).ensure_running(SPEC)
    (tmp_path / "gone").mkdir()
    silent = HollowClient(tmp_path / "gone")
    try:
        with pytest.raises(aiohttp.ClientError):
            await HollowBackend(silent, str).list()
    finally:
        await silent.close()


@pytest.mark.parametrize(
    ("lb", "enabled"),
    [
        (balancer(), True),
        (balancer(AdminState.DRAINING), False),
        (balancer(AdminState.DISABLED), False),
        (balancer(weight=0), False),
    ],
)
def test_only_enabled_members_get_connections(lb: LoadBalancer, enabled: bool) -> None:
    sent = hollow_balancer(lb)
    assert sent["address"] == "127.29.19.2:6443"
    assert [member["enabled"] for member in sent["members"]] == [enabled]


async def test_a_second_listener_is_an_error_of_the_load_balancer(client: HollowClient) -> None:
    lb = balancer()
    twice = replace(lb, listeners=(*lb.listeners, Listener("l-2", 8443, "p-1")))
    with pytest.raises(LoadBalancerError, match="one listener"):
        await HollowBalancers(client).ensure(twice)


async def test_a_member_is_online_while_its_api_server_runs(
    client: HollowClient, hollow: Hollow
) -> None:
    balancers = HollowBalancers(client)
    await balancers.ensure(balancer())
    assert await balancers.status("lb-1") == {"m-1": OperatingStatus.OFFLINE}
    hollow.online = {"m-1": True}
    assert await balancers.status("lb-1") == {"m-1": OperatingStatus.ONLINE}
    await balancers.ensure(balancer(AdminState.DRAINING))
    assert await balancers.status("lb-1") == {"m-1": OperatingStatus.DRAINING}


async def test_a_load_balancer_without_listener_does_not_listen(
    client: HollowClient, hollow: Hollow
) -> None:
    balancers = HollowBalancers(client)
    await balancers.ensure(balancer())
    await balancers.ensure(replace(balancer(), listeners=()))
    assert hollow.put == {}
