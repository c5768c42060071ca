"""Verda's own load balancers. There is no peer to compare with: the local Verda alone."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
import requests
from tests.support.clouds import Json, Project, Service, error, eventually, ok, unique

pytestmark = pytest.mark.parametrize("cloud", ["local"], indirect=True, scope="session")

NOWHERE = "00000000-0000-4000-8000-000000000000"
MONITOR = {"type": "TCP", "interval_ms": 1000, "timeout_ms": 500, "rise": 1, "fall": 2}


@pytest.fixture
def lbaas(project: Project) -> Service:
    return project.member.service("lbaas")


def balancer(lbaas: Service, **more: object) -> Json:
    """An ACTIVE load balancer."""
    body = {"loadbalancer": {"name": unique("lb"), **more}}
    made = ok(lbaas.post("/loadbalancers", body), 202)["loadbalancer"]
    return eventually(
        lambda: ok(lbaas.get(f"/loadbalancers/{made['id']}"))["loadbalancer"],
        lambda seen: seen["status"] in ("ACTIVE", "ERROR"),
    )


def pool(lbaas: Service, balancer_id: str, **more: object) -> Json:
    body = {
        "loadbalancer_id": balancer_id, "name": unique("pool"), "algorithm": "ROUND_ROBIN",
        "health_monitor": MONITOR, **more,
    }  # fmt: skip
    made: Json = ok(lbaas.post("/pools", {"pool": body}), 201)["pool"]
    return made


def listener_body(balancer_id: str, pool_id: str, port: int = 6443) -> Json:
    return {
        "listener": {
            "loadbalancer_id": balancer_id, "name": unique("listener"), "protocol": "TCP",
            "port": port, "pool_id": pool_id,
        }
    }  # fmt: skip


def member(lbaas: Service, pool_id: str, address: str = "10.60.1.10", **more: object) -> Json:
    body = {"member": {"name": unique("m"), "address": address, "port": 6443, **more}}
    made: Json = ok(lbaas.post(f"/pools/{pool_id}/members", body), 201)["member"]
    return made


def test_a_load_balancer_becomes_active_with_an_address_of_the_vip_range(
    lbaas: Service, project: Project
) -> None:
    made = balancer(lbaas, zones=["tokyo-1", "tokyo-2"], tags=["owner"])
    assert made["status"] == "ACTIVE"
    assert made["project_id"] == project.id
    assert made["zones"] == ["tokyo-1", "tokyo-2"]
    assert made["tags"] == ["owner"]
    assert ip_address(made["vip_address"]) in ip_network("10.60.0.0/24")
    assert made["listeners"] == made["pools"] == []


def test_addresses_are_not_shared(lbaas: Service) -> None:
    assert balancer(lbaas)["vip_address"] != balancer(lbaas)["vip_address"]


def test_an_address_that_is_taken_is_a_conflict(lbaas: Service) -> None:
    taken = balancer(lbaas)["vip_address"]
    body = {"loadbalancer": {"name": unique("lb"), "vip_address": taken}}
    assert error(lbaas.post("/loadbalancers", body), 409)["code"] == 409


@pytest.mark.parametrize(
    "wrong",
    [
        {"zones": ["osaka-1"]},
        {"vip_address": "192.0.2.1"},
        {"vip_address": "nonsense"},
        {"colour": "red"},
        {"name": 7},
    ],
)
def test_load_balancers_that_cannot_be(lbaas: Service, wrong: Json) -> None:
    body = {"loadbalancer": {"name": unique("lb"), **wrong}}
    refused = error(lbaas.post("/loadbalancers", body), 400)
    assert (refused["code"], refused["title"]) == (400, "Bad Request")
    assert refused["message"]


def test_lists_filter_by_name_and_tags(lbaas: Service) -> None:
    first, second = balancer(lbaas, tags=["a", "b"]), balancer(lbaas, tags=["b"])

    def found(query: str) -> set[str]:
        return {lb["id"] for lb in ok(lbaas.get(f"/loadbalancers?{query}"))["loadbalancers"]}

    assert found(f"name={first['name']}") == {first["id"]}
    assert found("tags=a,b") == {first["id"]}
    assert found("tags=b") == {first["id"], second["id"]}


def test_name_description_and_tags_change(lbaas: Service) -> None:
    path = f"/loadbalancers/{balancer(lbaas)['id']}"
    change = {"name": "renamed", "description": "text", "tags": ["x"]}
    changed = ok(lbaas.patch(path, {"loadbalancer": change}))["loadbalancer"]
    assert change.items() <= changed.items()


def test_a_listener_takes_its_port_once(lbaas: Service) -> None:
    lb = balancer(lbaas)
    made = pool(lbaas, lb["id"])
    listener = ok(lbaas.post("/listeners", listener_body(lb["id"], made["id"])), 201)["listener"]
    assert (listener["protocol"], listener["port"]) == ("TCP", 6443)
    again = error(lbaas.post("/listeners", listener_body(lb["id"], made["id"])), 409)
    assert again["title"] == "Conflict"
    shown = ok(lbaas.get(f"/loadbalancers/{lb['id']}"))["loadbalancer"]
    assert shown["listeners"] == [{"id": listener["id"]}]
    assert shown["pools"] == [{"id": made["id"]}]
    listed = ok(lbaas.get(f"/listeners?loadbalancer_id={lb['id']}"))["listeners"]
    assert [found["id"] for found in listed] == [listener["id"]]


def test_a_member_is_registered_once_drained_and_removed(lbaas: Service) -> None:
    lb = balancer(lbaas)
    path = f"/pools/{pool(lbaas, lb['id'])['id']}/members"
    body = {"member": {"name": "m", "address": "10.60.1.10", "port": 6443, "zone": "tokyo-1"}}
    made = ok(lbaas.post(path, body), 201)["member"]
    assert (made["weight"], made["admin_state"], made["zone"]) == (1, "ENABLED", "tokyo-1")
    assert made["operating_status"] in ("ONLINE", "OFFLINE", "DRAINING", "NO_MONITOR")
    assert error(lbaas.post(path, body), 409)["code"] == 409
    drained = ok(lbaas.patch(f"{path}/{made['id']}", {"member": {"admin_state": "DRAINING"}}))
    assert drained["member"]["admin_state"] == "DRAINING"
    assert lbaas.delete(f"{path}/{made['id']}").status_code == 204
    assert error(lbaas.get(f"{path}/{made['id']}"), 404)["title"] == "Not Found"
    assert ok(lbaas.get(path)) == {"members": []}


def test_a_load_balancer_with_children_goes_only_with_them(lbaas: Service) -> None:
    lb = balancer(lbaas)
    made = pool(lbaas, lb["id"])
    ok(lbaas.post("/listeners", listener_body(lb["id"], made["id"])), 201)
    member(lbaas, made["id"])
    path = f"/loadbalancers/{lb['id']}"
    assert error(lbaas.delete(path), 409)["title"] == "Conflict"
    assert lbaas.delete(f"{path}?cascade=true").status_code == 204
    eventually(lambda: lbaas.get(path).status_code, lambda status: status == 404)
    assert lbaas.get(f"/pools/{made['id']}").status_code == 404
    assert ok(lbaas.get("/quota"))["quota"]


def test_an_address_is_given_again_after_deletion(lbaas: Service) -> None:
    lb = balancer(lbaas)
    path = f"/loadbalancers/{lb['id']}"
    assert lbaas.delete(path).status_code == 204
    eventually(lambda: lbaas.get(path).status_code, lambda status: status == 404)
    again = balancer(lbaas, vip_address=lb["vip_address"])
    assert again["vip_address"] == lb["vip_address"]


def test_unknown_and_foreign_ids_look_the_same(lbaas: Service, other: Project) -> None:
    theirs = other.member.service("lbaas")
    lb = balancer(lbaas)
    made = pool(lbaas, lb["id"])
    for path in (f"/loadbalancers/{lb['id']}", f"/pools/{made['id']}"):
        foreign = error(theirs.get(path), 404)
        unknown = error(theirs.get(f"{path.rpartition('/')[0]}/{NOWHERE}"), 404)
        assert foreign["title"] == unknown["title"] == "Not Found"
        assert theirs.delete(path).status_code == 404
    body = listener_body(lb["id"], made["id"])
    assert theirs.post("/listeners", body).status_code == 404
    assert ok(theirs.get("/loadbalancers")) == {"loadbalancers": []}


def test_readers_change_nothing(lbaas: Service, project: Project) -> None:
    lb = balancer(lbaas)
    reader = project.reader.service("lbaas")
    assert ok(reader.get(f"/loadbalancers/{lb['id']}"))["loadbalancer"]["id"] == lb["id"]
    assert error(reader.delete(f"/loadbalancers/{lb['id']}"), 403)["title"] == "Forbidden"
    body = {"loadbalancer": {"name": unique("lb")}}
    assert error(reader.post("/loadbalancers", body), 403)["code"] == 403


def test_a_caller_without_a_token_is_refused(lbaas: Service) -> None:
    url = lbaas.session.get_endpoint(service_type="lbaas") + "/loadbalancers"
    for headers in ({}, {"X-Auth-Token": "nonsense"}):
        assert error(requests.get(url, headers=headers, timeout=30), 401)["code"] == 401
