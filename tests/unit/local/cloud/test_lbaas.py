"""LBaaS v1 by its contract."""

from __future__ import annotations

from tests.unit.local.cloud.region import Caller, Json, Region

LBS, POOLS, LISTENERS = "/lbaas/v1/loadbalancers", "/lbaas/v1/pools", "/lbaas/v1/listeners"


async def make_lb(demo: Caller, **more: object) -> Json:
    made = await demo.ok("POST", LBS, {"loadbalancer": {"name": "lb", **more}})
    lb: Json = made["loadbalancer"]
    return lb


async def make_pool(demo: Caller, lb_id: str, monitor: Json | None = None) -> str:
    body = {
        "loadbalancer_id": lb_id,
        "name": "api",
        "algorithm": "ROUND_ROBIN",
        "health_monitor": monitor,
    }
    pool_id: str = (await demo.ok("POST", POOLS, {"pool": body}))["pool"]["id"]
    return pool_id


def listener(lb_id: str, pool_id: str) -> Json:
    return {
        "listener": {
            "loadbalancer_id": lb_id,
            "name": "api",
            "protocol": "TCP",
            "port": 6443,
            "pool_id": pool_id,
        }
    }


async def test_a_load_balancer_becomes_active_with_a_vip_of_its_own(
    region: Region, demo: Caller
) -> None:
    first, second = await make_lb(demo, tags=["a", "b"]), await make_lb(demo)
    assert first["status"] == "PENDING_CREATE"
    assert first["vip_address"] != second["vip_address"]
    await region.settle()
    found = await demo.ok("GET", f"{LBS}?tags=a,b")
    assert [(lb["id"], lb["status"]) for lb in found["loadbalancers"]] == [(first["id"], "ACTIVE")]


async def test_a_taken_vip_is_409_and_a_foreign_one_400(demo: Caller) -> None:
    lb = await make_lb(demo)
    for address, status in ((lb["vip_address"], 409), ("192.0.2.1", 400)):
        body = {"loadbalancer": {"name": "lb", "vip_address": address}}
        assert (await demo.call("POST", LBS, body)).status == status


async def test_a_port_has_one_listener(demo: Caller) -> None:
    lb = await make_lb(demo)
    body = listener(lb["id"], await make_pool(demo, lb["id"]))
    await demo.ok("POST", LISTENERS, body)
    assert (await demo.call("POST", LISTENERS, body)).status == 409


async def test_members_are_unique_and_change_state(region: Region, demo: Caller) -> None:
    lb = await make_lb(demo)
    pool_id = await make_pool(demo, lb["id"], {"type": "HTTPS", "path": "/readyz"})
    path = f"{POOLS}/{pool_id}/members"
    body = {"member": {"name": "cp-0", "address": "10.60.1.5", "port": 6443, "zone": "tokyo-1"}}
    member = (await demo.ok("POST", path, body))["member"]
    assert (await demo.call("POST", path, body)).status == 409
    await region.settle()
    one = f"{path}/{member['id']}"
    assert (await demo.ok("GET", one))["member"]["operating_status"] == "ONLINE"
    await demo.ok("PATCH", one, {"member": {"admin_state": "DRAINING"}})
    await region.settle()
    assert (await demo.ok("GET", one))["member"]["operating_status"] == "DRAINING"
    await demo.ok("DELETE", one)
    assert (await demo.call("GET", one)).status == 404


async def test_delete_needs_cascade_and_leaves_nothing(region: Region, demo: Caller) -> None:
    lb = await make_lb(demo)
    pool_id = await make_pool(demo, lb["id"])
    await demo.ok("POST", LISTENERS, listener(lb["id"], pool_id))
    path = f"{LBS}/{lb['id']}"
    assert (await demo.call("DELETE", path)).status == 409
    assert (await demo.call("DELETE", f"{path}?cascade=true")).status == 204
    await region.settle()
    assert (await demo.call("GET", path)).status == 404
    assert (await demo.call("GET", f"{POOLS}/{pool_id}")).status == 404
    assert await region.cloud.balancers.list() == set()


async def test_foreign_ids_look_unknown(region: Region, demo: Caller) -> None:
    lb = await make_lb(demo)
    pool_id = await make_pool(demo, lb["id"])
    mallory = await region.login("mallory", "other")
    for path in (f"{LBS}/{lb['id']}", f"{POOLS}/{pool_id}", f"{POOLS}/{pool_id}/members"):
        assert (await mallory.call("GET", path)).status == 404


async def test_the_quota_is_413(region: Region, demo: Caller) -> None:
    lb = await make_lb(demo)
    admin = await region.login("admin", "admin")
    body = {"quota": {"loadbalancers": 1}}
    await admin.ok("PUT", f"/lbaas/v1/quota/{lb['project_id']}", body)
    assert (await demo.call("POST", LBS, {"loadbalancer": {"name": "lb"}})).status == 413
    quota = (await demo.ok("GET", "/lbaas/v1/quota"))["quota"]
    assert (quota["loadbalancers"], quota["used_loadbalancers"]) == (1, 1)


async def test_a_bad_field_is_named(demo: Caller) -> None:
    answer = await demo.call("POST", LBS, {"loadbalancer": {"name": "lb", "zones": ["mars"]}})
    assert answer.body == {
        "error": {
            "code": 400,
            "title": "Bad Request",
            "message": "loadbalancer.zones: unknown zone mars",
        }
    }
