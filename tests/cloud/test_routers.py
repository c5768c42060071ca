"""Routers, their interfaces, and extra routes: how pods of a cluster reach each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.cloud.steps import Steps
from tests.support.clouds import Json, Project, error, ok, unique

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def router(steps: Steps) -> Json:
    """A router with an interface on 192.0.2.0/24; `network_id` and `subnet_id` added."""
    body = {"router": {"name": unique("router")}}
    made: Json = ok(steps.api.network.post("/v2.0/routers", body), 201)["router"]
    network, subnet = steps.network("192.0.2.0/24")
    interface = {"subnet_id": subnet["id"]}
    ok(steps.api.network.put(f"/v2.0/routers/{made['id']}/add_router_interface", interface))
    return made | {"network_id": network["id"], "subnet_id": subnet["id"]}


def route(number: int, hop: int = 10) -> Json:
    return {"destination": f"10.244.{number}.0/24", "nexthop": f"192.0.2.{hop}"}


def change(steps: Steps, router: Json, what: str, *routes: Json) -> list[Json]:
    path = f"/v2.0/routers/{router['id']}/{what}_extraroutes"
    after = ok(steps.api.network.put(path, {"router": {"routes": list(routes)}}))
    found: list[Json] = after["router"]["routes"]
    return found


def test_an_interface_is_a_port_with_the_gateway_address(steps: Steps, router: Json) -> None:
    path = f"/v2.0/ports?device_id={router['id']}"
    (port,) = ok(steps.api.network.get(path))["ports"]
    assert port["device_owner"] == "network:router_interface"
    assert port["fixed_ips"] == [{"subnet_id": router["subnet_id"], "ip_address": "192.0.2.1"}]
    refused = error(steps.api.network.delete(f"/v2.0/ports/{port['id']}"), 409)
    assert refused["type"] == "ServicePortInUse"


def test_a_router_with_an_interface_stays(steps: Steps, router: Json) -> None:
    api, path = steps.api.network, f"/v2.0/routers/{router['id']}"
    refused = error(api.delete(path), 409)
    assert refused["type"] == "RouterInUse"
    assert router["id"] in refused["message"]
    interface = {"subnet_id": router["subnet_id"]}
    ok(api.put(f"{path}/remove_router_interface", interface))
    missing = error(api.put(f"{path}/remove_router_interface", interface), 404)
    assert missing["type"] == "RouterInterfaceNotFoundForSubnet"
    ok(api.delete(path), 204)
    assert error(api.get(path), 404)["type"] == "RouterNotFound"


def test_a_subnet_is_attached_once(steps: Steps, router: Json) -> None:
    path = f"/v2.0/routers/{router['id']}/add_router_interface"
    refused = error(steps.api.network.put(path, {"subnet_id": router["subnet_id"]}), 400)
    assert refused["type"] == "BadRequest"
    assert "already has a port on subnet" in refused["message"]


def test_routes_are_added_without_touching_the_others(steps: Steps, router: Json) -> None:
    assert change(steps, router, "add", route(1)) == [route(1)]
    both = change(steps, router, "add", route(2, 11))
    assert sorted(both, key=str) == sorted([route(1), route(2, 11)], key=str)
    assert change(steps, router, "remove", route(1)) == [route(2, 11)]


def test_adding_and_removing_again_changes_nothing(steps: Steps, router: Json) -> None:
    change(steps, router, "add", route(1))
    assert change(steps, router, "add", route(1)) == [route(1)]
    assert change(steps, router, "remove", route(1)) == []
    assert change(steps, router, "remove", route(1)) == []
    shown = ok(steps.api.network.get(f"/v2.0/routers/{router['id']}"))["router"]
    assert shown["routes"] == []


def test_concurrent_additions_all_count(steps: Steps, router: Json) -> None:
    def add(number: int) -> int:
        path = f"/v2.0/routers/{router['id']}/add_extraroutes"
        body = {"router": {"routes": [route(number)]}}
        return steps.api.network.put(path, body).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(add, range(4))) == {200}
    shown = ok(steps.api.network.get(f"/v2.0/routers/{router['id']}"))["router"]
    assert sorted(shown["routes"], key=str) == [route(number) for number in range(4)]


def test_the_whole_list_is_replaced_by_an_update(steps: Steps, router: Json) -> None:
    change(steps, router, "add", route(1))
    body = {"router": {"routes": [route(2)]}}
    changed = ok(steps.api.network.put(f"/v2.0/routers/{router['id']}", body))["router"]
    assert changed["routes"] == [route(2)]


def test_a_next_hop_must_be_reachable(steps: Steps, router: Json) -> None:
    path = f"/v2.0/routers/{router['id']}/add_extraroutes"
    wrong = {"destination": "10.244.1.0/24", "nexthop": "198.51.100.9"}
    refused = error(steps.api.network.put(path, {"router": {"routes": [wrong]}}), 400)
    assert refused["type"] == "InvalidRoutes"
    assert "the nexthop is not connected with router" in refused["message"]


def test_an_interface_that_routes_need_stays(steps: Steps, router: Json) -> None:
    change(steps, router, "add", route(1))
    path = f"/v2.0/routers/{router['id']}/remove_router_interface"
    refused = error(steps.api.network.put(path, {"subnet_id": router["subnet_id"]}), 409)
    assert refused["type"] == "RouterInterfaceInUseByRoute"


def test_routes_have_a_quota(steps: Steps, router: Json) -> None:
    path = f"/v2.0/routers/{router['id']}/add_extraroutes"
    body = {"router": {"routes": [route(number) for number in range(31)]}}
    refused = error(steps.api.network.put(path, body), 409)
    assert refused["type"] == "OverQuota"


def test_foreign_routers_are_not_found(router: Json, other: Project) -> None:
    for unknown in (router["id"], NOWHERE):
        path = f"/v2.0/routers/{unknown}"
        assert error(other.member.network.get(path), 404)["type"] == "RouterNotFound"
        body = {"router": {"routes": [route(1)]}}
        refused = error(other.member.network.put(f"{path}/add_extraroutes", body), 404)
        assert refused["type"] == "RouterNotFound"
