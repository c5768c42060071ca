"""A cloud that misbehaves as it is told to."""

from __future__ import annotations

import aiohttp
import pytest
from tests.unit.local.cloud.region import (
    Caller,
    Region,
    make_network,
    make_port,
    make_server,
    show_server,
)

NETWORKS = "/network/v2.0/networks"
BODY = {"network": {"name": "n"}}


async def fault(region: Region, **rule: object) -> str:
    made = await region.operator.ok("POST", "/admin/faults", {"fault": rule})
    rule_id: str = made["fault"]["id"]
    return rule_id


async def test_the_operators_token_is_needed(region: Region) -> None:
    assert (await region.anonymous.call("GET", "/admin/faults")).status == 401


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_an_error_strikes_as_often_as_it_is_told(
    region: Region, demo: Caller, status: int
) -> None:
    await fault(
        region,
        action="error",
        service="network",
        method="POST",
        status=status,
        retry_after=3,
        count=1,
    )
    struck = await demo.call("POST", NETWORKS, BODY)
    assert (struck.status, struck.headers["Retry-After"]) == (status, "3")
    assert (await demo.call("POST", NETWORKS, BODY)).status == 201


async def test_other_calls_are_not_struck(region: Region, demo: Caller) -> None:
    await fault(region, action="error", service="network", path="/ports$")
    assert (await demo.call("GET", NETWORKS)).status == 200
    assert (await demo.call("GET", "/network/v2.0/ports")).status == 500


@pytest.mark.parametrize(("action", "made"), [("drop_before", 0), ("drop_after", 1)])
async def test_an_answer_is_lost_before_or_after_the_deed(
    region: Region, demo: Caller, action: str, made: int
) -> None:
    await fault(region, action=action, method="POST", path="/networks$", count=1)
    with pytest.raises(aiohttp.ClientError):
        await demo.call("POST", NETWORKS, BODY)
    assert len((await demo.ok("GET", NETWORKS))["networks"]) == made


async def test_held_work_goes_on_when_the_rule_goes(region: Region, demo: Caller) -> None:
    rule = await fault(region, action="hold", path="^server.create/.* s$")
    server_id = await make_server(demo, "none")
    await region.settle()
    assert (await show_server(demo, server_id))["status"] == "BUILD"
    await region.operator.ok("DELETE", f"/admin/faults/{rule}")
    await region.settle()
    assert (await show_server(demo, server_id))["status"] == "ACTIVE"


async def test_a_held_delete_is_answered_but_not_done(region: Region, demo: Caller) -> None:
    server_id = await make_server(demo, "none")
    await region.settle()
    await fault(region, action="hold", path="^server.delete/")
    await demo.ok("DELETE", f"/compute/v2.1/servers/{server_id}")
    await region.settle()
    assert (await show_server(demo, server_id))["OS-EXT-STS:task_state"] == "deleting"


async def test_a_full_zone_has_no_host_until_the_rule_goes(region: Region, demo: Caller) -> None:
    zone = next(iter(region.cloud.settings.zones))
    rule = await fault(region, action="full", path=f"^{zone}$")
    refused = await make_server(demo, "none", availability_zone=zone)
    server = await show_server(demo, refused)
    assert server["status"] == "ERROR"
    assert server["fault"]["message"].startswith("No valid host was found.")
    await region.operator.ok("DELETE", f"/admin/faults/{rule}")
    server_id = await make_server(demo, "none", availability_zone=zone)
    await region.settle()
    assert (await show_server(demo, server_id))["status"] == "ACTIVE"


async def test_a_port_can_stay_bound_to_a_server_that_is_gone(region: Region, demo: Caller) -> None:
    network_id, _ = await make_network(demo)
    port = await make_port(demo, network_id)
    server_id = await make_server(demo, [{"port": port["id"]}])
    await region.settle()
    rule = await fault(region, action="hold", path=f"^port.unbind/{port['id']}")
    await demo.ok("DELETE", f"/compute/v2.1/servers/{server_id}")
    await region.settle()
    assert (await demo.call("GET", f"/compute/v2.1/servers/{server_id}")).status == 404
    path = f"/network/v2.0/ports/{port['id']}"
    assert (await demo.ok("GET", path))["port"]["device_id"] == server_id
    await region.operator.ok("DELETE", f"/admin/faults/{rule}")
    await region.settle()
    assert (await demo.ok("GET", path))["port"]["device_id"] == ""


async def test_the_rate_limit_answers_429_with_a_wait(region: Region, demo: Caller) -> None:
    await region.operator.ok("PUT", "/admin/rate-limit", {"rate": 2})
    answers = [await demo.call("GET", NETWORKS) for _ in range(5)]
    limited = [answer for answer in answers if answer.status == 429]
    assert limited
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in limited)


async def test_calls_are_counted_by_kind(region: Region, demo: Caller) -> None:
    await region.operator.ok("DELETE", "/admin/calls")
    await demo.ok("POST", NETWORKS, BODY)
    for _ in range(2):
        await demo.call("GET", f"{NETWORKS}/unknown")
    counted = await region.operator.ok("GET", "/admin/calls")
    assert counted["calls"]["network POST /v2.0/networks"] == 1
    assert counted["statuses"]["network GET /v2.0/networks/{network_id}"] == {"404": 2}
