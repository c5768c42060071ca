"""Servers: what is made, where, by whom, and what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.local.cloud.region import (
    Caller,
    Region,
    ask_server,
    make_network,
    make_port,
    make_server,
    run_region,
    show_server,
)

from vks.local.cloud.app import recorded_backends
from vks.local.cloud.records import RecordsBackend
from vks.local.servers.mixed import MixedBackend


async def test_a_given_port_outlives_its_server(region: Region, demo: Caller) -> None:
    network_id, _ = await make_network(demo)
    port = await make_port(demo, network_id)
    server_id = await make_server(demo, [{"port": port["id"]}], availability_zone="tokyo-2")
    await region.settle()
    bound = (await demo.ok("GET", f"/network/v2.0/ports/{port['id']}"))["port"]
    assert (bound["device_id"], bound["status"]) == (server_id, "ACTIVE")
    assert bound["device_owner"] == "compute:tokyo-2"
    taken = await ask_server(demo, [{"port": port["id"]}])
    assert taken.status == 409
    await demo.ok("DELETE", f"/compute/v2.1/servers/{server_id}")
    await region.settle()
    free = (await demo.ok("GET", f"/network/v2.0/ports/{port['id']}"))["port"]
    assert (free["device_id"], free["status"], free["device_owner"]) == ("", "DOWN", "")
    assert free["fixed_ips"] == port["fixed_ips"]


async def test_a_port_that_nova_made_dies_with_its_server(region: Region, demo: Caller) -> None:
    network_id, _ = await make_network(demo)
    server_id = await make_server(demo, [{"uuid": network_id}])
    await region.settle()
    assert (await show_server(demo, server_id))["addresses"]["net"][0]["version"] == 4
    await demo.ok("DELETE", f"/compute/v2.1/servers/{server_id}")
    await region.settle()
    assert (await demo.ok("GET", "/network/v2.0/ports"))["ports"] == []
    assert (await demo.call("GET", f"/compute/v2.1/servers/{server_id}")).status == 404


async def test_a_refused_server_leaves_no_port(demo: Caller) -> None:
    network_id, _ = await make_network(demo)
    missing = "00000000-0000-0000-0000-000000000000"
    answer = await ask_server(demo, [{"uuid": network_id}, {"port": missing}])
    assert answer.status == 400
    assert (await demo.ok("GET", "/network/v2.0/ports"))["ports"] == []


async def test_anti_affinity_never_shares_a_host(region: Region, demo: Caller) -> None:
    body = {"server_group": {"name": "g", "policy": "anti-affinity"}}
    group = (await demo.at(64).ok("POST", "/compute/v2.1/os-server-groups", body))["server_group"]
    servers = [
        await make_server(demo, "none", hints={"group": group["id"]}, availability_zone="tokyo-1")
        for _ in range(3)
    ]
    await region.settle()
    shown = [await show_server(demo, server_id) for server_id in servers]
    assert [server["status"] for server in shown] == ["ACTIVE", "ACTIVE", "ERROR"]
    assert len({server["hostId"] for server in shown[:2]}) == 2
    assert shown[2]["fault"]["message"].startswith("No valid host was found")


async def test_servers_spread_over_the_zones(region: Region, demo: Caller) -> None:
    servers = [await make_server(demo, "none") for _ in range(3)]
    zones = {(await show_server(demo, one))["OS-EXT-AZ:availability_zone"] for one in servers}
    assert zones == {"tokyo-1", "tokyo-2", "tokyo-3"}


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"availability_zone": "mars"}, 400, "The requested availability zone is not available"),
        ({"flavorRef": "nope"}, 400, "Flavor nope could not be found."),
        ({"key_name": "nope"}, 400, "Invalid key_name provided."),
        ({"user_data": "not base64!"}, 400, "User data needs to be valid base 64."),
    ],
)
async def test_a_bad_request_says_what_is_wrong(
    demo: Caller, change: dict[str, Any], status: int, message: str
) -> None:
    answer = await ask_server(demo, "none", **change)
    assert (answer.status, answer.body["badRequest"]["message"]) == (status, message)


async def test_user_data_is_bounded(demo: Caller) -> None:
    assert (await ask_server(demo, "none", user_data="A" * 65536)).status == 400
    assert (await ask_server(demo, "none", user_data="A" * 65532)).status == 202


async def test_the_quota_is_enforced(region: Region, demo: Caller) -> None:
    server_id = await make_server(demo, "none")
    project_id = (await show_server(demo, server_id))["tenant_id"]
    admin = await region.login("admin", "admin")
    body = {"quota_set": {"instances": 1}}
    await admin.ok("PUT", f"/compute/v2.1/os-quota-sets/{project_id}", body)
    answer = await ask_server(demo, "none")
    assert answer.status == 403
    assert answer.body["forbidden"]["message"] == (
        "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"
    )


async def test_a_server_that_crashes_is_shut_off(region: Region, demo: Caller) -> None:
    server_id = await make_server(demo, "none")
    await region.settle()
    region.servers.crash(server_id)
    for _ in range(100):  # each call lets the watcher run
        seen = await show_server(demo, server_id)
        if seen["status"] != "ACTIVE":
            break
    assert (seen["status"], seen["OS-EXT-STS:power_state"]) == ("SHUTOFF", 4)


async def test_stop_start_and_console(region: Region, demo: Caller) -> None:
    server_id = await make_server(demo, "none")
    await region.settle()
    path = f"/compute/v2.1/servers/{server_id}/action"
    assert (await demo.call("POST", path, {"os-start": None})).status == 409
    await demo.ok("POST", path, {"os-stop": None})
    await region.settle()
    assert (await show_server(demo, server_id))["status"] == "SHUTOFF"
    await demo.ok("POST", path, {"os-start": None})
    await region.settle()
    assert (await show_server(demo, server_id))["status"] == "ACTIVE"
    output = await demo.ok("POST", path, {"os-getConsoleOutput": {"length": 2}})
    assert output == {"output": "stopped\nstarted"}


async def test_hot_plugging_and_a_port_deleted_under_a_server(region: Region, demo: Caller) -> None:
    network_id, _ = await make_network(demo)
    server_id = await make_server(demo, "none")
    await region.settle()
    path = f"/compute/v2.1/servers/{server_id}/os-interface"
    ports = [await make_port(demo, network_id) for _ in range(2)]
    for port in ports:
        body = {"interfaceAttachment": {"port_id": port["id"]}}
        await demo.ok("POST", path, body)
    await region.settle()
    await demo.ok("DELETE", f"{path}/{ports[0]['id']}")
    under = f"/network/v2.0/ports/{ports[1]['id']}"
    assert (await demo.call("DELETE", under)).status == 403
    await (await region.login("admin", "admin")).ok("DELETE", under)
    await region.settle()
    assert (await demo.ok("GET", path))["interfaceAttachments"] == []
    kept = await demo.ok("GET", "/network/v2.0/ports")
    assert [(port["id"], port["device_id"]) for port in kept["ports"]] == [(ports[0]["id"], "")]


@pytest.mark.parametrize(
    ("header", "status"),
    [("compute 2.96", 200), ("compute 2.97", 406), ("compute 2.x", 400), ("compute latest", 200)],
)
async def test_microversions_are_negotiated(demo: Caller, header: str, status: int) -> None:
    answer = await demo.call("GET", "/compute/v2.1/servers", OpenStack_API_Version=header)
    assert answer.status == status


async def test_tags_belong_to_2_26(region: Region, demo: Caller) -> None:
    server_id = await make_server(demo, "none", tags=["a"])
    path = f"/compute/v2.1/servers/{server_id}/tags"
    assert (await demo.at(25).call("GET", path)).status == 404
    assert await demo.at(26).ok("GET", path) == {"tags": ["a"]}
    found = await demo.at(26).ok("GET", "/compute/v2.1/servers?tags=a&name=^s$")
    assert [server["id"] for server in found["servers"]] == [server_id]


async def test_deleted_servers_show_in_changes_since(region: Region, demo: Caller) -> None:
    server_id = await make_server(demo, "none")
    await demo.ok("DELETE", f"/compute/v2.1/servers/{server_id}")
    await region.settle()
    path = "/compute/v2.1/servers/detail"
    assert (await demo.ok("GET", path))["servers"] == []
    found = await demo.ok("GET", f"{path}?changes-since=2020-01-01T00:00:00Z")
    assert [server["status"] for server in found["servers"]] == ["DELETED"]


async def test_servers_of_a_flavor_that_requires_the_trait_are_hollow() -> None:
    real, hollow = RecordsBackend(), RecordsBackend()
    behind = replace(recorded_backends(), servers=MixedBackend(real, hollow, most_real=1))
    async with run_region(backends=behind) as region:
        admin, demo = await region.login("admin", "admin"), await region.login("demo")
        small = (await demo.ok("GET", "/compute/v2.1/flavors"))["flavors"][0]["id"]
        size = {"name": "hollow-small", "ram": 2048, "vcpus": 1, "disk": 10}
        made = (await admin.ok("POST", "/compute/v2.1/flavors", {"flavor": size}))["flavor"]
        specs = {"extra_specs": {"trait:CUSTOM_HOLLOW": "required"}}
        await admin.ok("POST", f"/compute/v2.1/flavors/{made['id']}/os-extra_specs", specs)
        boxed = await make_server(demo, "none", flavorRef=small)
        empty = await make_server(demo, "none", flavorRef=made["id"])
        await region.settle()
        assert (set(await real.list()), set(await hollow.list())) == ({boxed}, {empty})

        refused = await make_server(demo, "none", flavorRef=small)
        await region.settle()
        seen = await show_server(demo, refused)
        assert seen["status"] == "ERROR"
        assert "No valid host was found" in seen["fault"]["message"]
