"""Addresses, ports, routers and their errors."""

from __future__ import annotations

import pytest
from tests.unit.local.cloud.region import Caller, Region, make_network, make_port


async def test_subnets_of_the_default_pool_never_overlap(demo: Caller) -> None:
    for _ in range(3):
        await make_network(demo)
    found = await demo.ok("GET", "/network/v2.0/subnets")
    assert len({subnet["cidr"] for subnet in found["subnets"]}) == 3


async def test_a_released_address_is_not_given_out_next(demo: Caller) -> None:
    network_id, _ = await make_network(demo)
    port = await make_port(demo, network_id)
    await demo.ok("DELETE", f"/network/v2.0/ports/{port['id']}")
    again = await make_port(demo, network_id)
    assert again["fixed_ips"][0]["ip_address"] != port["fixed_ips"][0]["ip_address"]


async def test_addresses_come_round_when_the_pool_is_used_up(demo: Caller) -> None:
    network_id, _ = await make_network(demo, cidr="192.0.2.0/29")
    ports = [await make_port(demo, network_id) for _ in range(5)]
    body = {"port": {"network_id": network_id}}
    full = await demo.call("POST", "/network/v2.0/ports", body)
    assert (full.status, full.body["NeutronError"]["type"]) == (409, "IpAddressGenerationFailure")
    await demo.ok("DELETE", f"/network/v2.0/ports/{ports[2]['id']}")
    again = await make_port(demo, network_id)
    assert again["fixed_ips"] == ports[2]["fixed_ips"]


@pytest.mark.parametrize(
    ("address", "status", "kind"),
    [
        ("192.0.2.9", 409, "IpAddressAlreadyAllocated"),
        ("198.51.100.1", 400, "InvalidIpForNetwork"),
        ("192.0.2.1", 409, "IpAddressAlreadyAllocated"),
    ],
)
async def test_a_wanted_address_is_checked(
    demo: Caller, address: str, status: int, kind: str
) -> None:
    network_id, _ = await make_network(demo, cidr="192.0.2.0/24")
    await make_port(demo, network_id, fixed_ips=[{"ip_address": "192.0.2.9"}])
    body = {"port": {"network_id": network_id, "fixed_ips": [{"ip_address": address}]}}
    answer = await demo.call("POST", "/network/v2.0/ports", body)
    assert (answer.status, answer.body["NeutronError"]["type"]) == (status, kind)


async def test_a_refused_port_leaves_nothing(demo: Caller) -> None:
    network_id, _ = await make_network(demo, cidr="192.0.2.0/24")
    wanted = [{"ip_address": "192.0.2.9"}, {"ip_address": "198.51.100.1"}]
    body = {"port": {"network_id": network_id, "fixed_ips": wanted}}
    assert (await demo.call("POST", "/network/v2.0/ports", body)).status == 400
    port = await make_port(demo, network_id, fixed_ips=[{"ip_address": "192.0.2.9"}])
    assert port["fixed_ips"][0]["ip_address"] == "192.0.2.9"


async def test_foreign_resources_look_unknown(region: Region, demo: Caller) -> None:
    network_id, _ = await make_network(demo)
    mallory = await region.login("mallory", "other")
    path = f"/network/v2.0/networks/{network_id}"
    assert (await mallory.call("GET", path)).status == 404
    assert (await mallory.call("DELETE", path)).status == 404
    assert (await mallory.ok("GET", "/network/v2.0/networks"))["networks"] == []


async def router_on(demo: Caller, subnet_id: str) -> str:
    made = await demo.ok("POST", "/network/v2.0/routers", {"router": {"name": "r"}})
    path = f"/network/v2.0/routers/{made['router']['id']}"
    await demo.ok("PUT", path + "/add_router_interface", {"subnet_id": subnet_id})
    return path


async def test_extra_routes_are_added_and_removed_one_by_one(demo: Caller) -> None:
    _, subnet_id = await make_network(demo, cidr="192.0.2.0/24")
    path = await router_on(demo, subnet_id)
    first = {"destination": "10.244.0.0/24", "nexthop": "192.0.2.10"}
    second = {"destination": "10.244.1.0/24", "nexthop": "192.0.2.11"}
    for route in (first, second, first):
        await demo.ok("PUT", path + "/add_extraroutes", {"router": {"routes": [route]}})
    assert (await demo.ok("GET", path))["router"]["routes"] == [first, second]
    await demo.ok("PUT", path + "/remove_extraroutes", {"router": {"routes": [first]}})
    assert (await demo.ok("GET", path))["router"]["routes"] == [second]


async def test_a_route_to_nowhere_is_refused(demo: Caller) -> None:
    _, subnet_id = await make_network(demo, cidr="192.0.2.0/24")
    path = await router_on(demo, subnet_id)
    route = {"destination": "10.244.0.0/24", "nexthop": "198.51.100.1"}
    body = {"router": {"routes": [route]}}
    answer = await demo.call("PUT", path + "/add_extraroutes", body)
    assert (answer.status, answer.body["NeutronError"]["type"]) == (400, "InvalidRoutes")


async def test_an_interface_that_a_route_needs_stays(demo: Caller) -> None:
    _, subnet_id = await make_network(demo, cidr="192.0.2.0/24")
    path = await router_on(demo, subnet_id)
    route = {"destination": "10.244.0.0/24", "nexthop": "192.0.2.10"}
    await demo.ok("PUT", path + "/add_extraroutes", {"router": {"routes": [route]}})
    body = {"subnet_id": subnet_id}
    assert (await demo.call("PUT", path + "/remove_router_interface", body)).status == 409
    assert (await demo.call("DELETE", path)).status == 409


async def test_a_quota_is_enforced_and_set_by_admins(region: Region, demo: Caller) -> None:
    network_id, _ = await make_network(demo)
    project_id = (await demo.ok("GET", "/network/v2.0/networks"))["networks"][0]["project_id"]
    body = {"quota": {"port": 1}}
    path = f"/network/v2.0/quotas/{project_id}"
    assert (await demo.call("PUT", path, body)).status == 403
    admin = await region.login("admin", "admin")
    await admin.ok("PUT", path, body)
    await make_port(demo, network_id)
    answer = await demo.call("POST", "/network/v2.0/ports", {"port": {"network_id": network_id}})
    assert (answer.status, answer.body["NeutronError"]["type"]) == (409, "OverQuota")


async def test_lists_filter_by_tag_and_field_and_page(demo: Caller) -> None:
    network_id, _ = await make_network(demo)
    ports = [await make_port(demo, network_id, name=f"p{n}", tags=[f"t{n % 2}"]) for n in range(4)]
    tagged = await demo.ok("GET", "/network/v2.0/ports?tags=t1&fields=name")
    assert tagged["ports"] == [{"name": "p1"}, {"name": "p3"}]
    page = await demo.ok("GET", "/network/v2.0/ports?limit=3")
    rest = await demo.ok("GET", f"/network/v2.0/ports?limit=3&marker={page['ports'][-1]['id']}")
    assert {port["id"] for port in page["ports"] + rest["ports"]} == {port["id"] for port in ports}
    assert "ports_links" in page
    assert "ports_links" not in rest


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Unable to find 'network' in request body"),
        ({"network": {"colour": 1}}, "Unrecognized attribute(s) 'colour'"),
        ({"network": {"name": 7}}, "Invalid input for name. Reason: '7' is not a valid string."),
    ],
)
async def test_bad_bodies_are_named(demo: Caller, body: dict[str, object], message: str) -> None:
    answer = await demo.call("POST", "/network/v2.0/networks", body)
    assert (answer.status, answer.body["NeutronError"]["message"]) == (400, message)
