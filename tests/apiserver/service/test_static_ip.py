"""Static IP pools over the REST API: slots as users see them, and what happens to them."""

from __future__ import annotations

from typing import Any

from tests.apiserver.service.conftest import Vks
from tests.support.service import cluster_request, until

from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation
from vks.resources.verdaport import PORT_POOL_LABEL, VerdaPort, VerdaPortPool

PORT = {"clusterName": "demo", "poolRef": {"name": "demo.web"}}


async def start(vks: Vks, **static: Any) -> dict[str, Any]:
    """A cluster with a pool of two nodes; the operation that makes the pool."""
    request = cluster_request(network={"networkId": "n1"}, nodePools=[])
    assert (await vks.call("POST", "/clusters", request)).status_code == 202
    body = {"name": "web", "replicas": 2, "flavor": "small", "staticIP": static}
    answer = await vks.call("POST", "/clusters/demo/node-pools", body)
    assert answer.status_code == 202, answer.text
    await until(lambda: _port_pool(vks))
    operation: dict[str, Any] = answer.json()
    return operation


async def _port_pool(vks: Vks) -> VerdaPortPool | None:
    found = (await vks.client.list(VerdaPortPool, vks.namespace)).items
    return found[0] if found else None


async def reserve(vks: Vks, slot: str, **claim: Any) -> None:
    """What the provider does of a slot."""
    name = f"demo.web.{slot}"
    labels = {PORT_POOL_LABEL: "demo.web", "cluster.x-k8s.io/cluster-name": "demo"}
    meta = {"name": name, "namespace": vks.namespace}
    spec = PORT | ({"claim": claim, "token": 1} if claim else {})
    body = {"metadata": {**meta, "labels": labels}, "spec": spec}
    await vks.client.apply(VerdaPort, body, field_manager="provider")
    status = {
        "state": "InUse" if claim else "Free",
        "since": "2030-01-01T00:00:00Z",
        "portID": f"port-{slot}",
        "address": f"10.60.1.{slot}",
        "macAddress": f"fa:16:3e:00:00:0{slot}",
        "subnetID": "s1",
        "gateway": "10.60.1.1",
    }
    body = {"metadata": meta, "status": status}
    await vks.client.apply(VerdaPort, body, field_manager="provider", subresource="status")


async def test_the_slots_of_a_pool_are_shown(vks: Vks) -> None:
    await start(vks, count=3)
    await reserve(vks, "2", kind="VerdaMachine", name="demo-web-x", owner="u")
    await reserve(vks, "3")
    shown = (await vks.call("GET", "/clusters/demo/static-ip-pools/web")).json()
    assert (shown["name"], shown["nodePool"], shown["subnet"]) == ("web", "web", "s1")
    assert shown["slots"] == [
        {
            "name": "2",
            "address": "10.60.1.2",
            "mac": "fa:16:3e:00:00:02",
            "port": "port-2",
            "zone": None,
            "node": "demo-web-x",
            "state": "InUse",
            "since": "2030-01-01T00:00:00Z",
            "message": "",
        },
        {
            "name": "3",
            "address": "10.60.1.3",
            "mac": "fa:16:3e:00:00:03",
            "port": "port-3",
            "zone": None,
            "node": None,
            "state": "Free",
            "since": "2030-01-01T00:00:00Z",
            "message": "",
        },
    ]
    (listed,) = (await vks.call("GET", "/clusters/demo/static-ip-pools")).json()["items"]
    assert listed == shown
    assert (await vks.call("GET", "/clusters/demo/static-ip-pools/other")).status_code == 404
    (pool,) = (await vks.call("GET", "/clusters/demo/node-pools")).json()["items"]
    assert pool["staticIP"] == {"subnet": "s1", "count": 3}


async def test_the_pools_come_page_by_page(vks: Vks) -> None:
    await start(vks, count=3)
    body = {"name": "db", "replicas": 1, "flavor": "small", "staticIP": {"count": 1}}
    assert (await vks.call("POST", "/clusters/demo/node-pools", body)).status_code == 202
    path = "/clusters/demo/static-ip-pools?limit=1"

    async def both() -> list[str] | None:
        first = (await vks.call("GET", path)).json()
        if first["continue"] is None:
            return None
        last = (await vks.call("GET", f"{path}&continue={first['continue']}")).json()
        assert last["continue"] is None
        return [pool["name"] for page in (first, last) for pool in page["items"]]

    assert await until(both) == ["db", "web"]
    refused = await vks.call("GET", f"{path}&continue=none")
    assert refused.status_code == 400


async def test_a_slot_in_use_cannot_be_removed(vks: Vks) -> None:
    await start(vks, count=3)
    for slot in ("1", "2"):
        await reserve(vks, slot, kind="VerdaMachine", name=f"node-{slot}", owner=slot)
    await reserve(vks, "3")
    path = "/clusters/demo/node-pools/web"
    gone = {"staticIP": {"addresses": ["10.60.1.1", "10.60.1.3"]}}
    answer = await vks.call("PATCH", path, gone)
    assert answer.status_code == 422, answer.text
    assert {
        "field": "staticIP.addresses",
        "message": "10.60.1.2 cannot be removed: it is in use by node node-2",
    } in answer.json()["errors"]
    (before,) = (await vks.client.list(NodePool, vks.namespace)).items
    assert before.spec.static_ip is not None
    assert len(before.spec.static_ip.slots) == 3
    assert (await vks.call("PATCH", path, {"staticIP": {"count": 2}})).status_code == 202

    async def narrowed() -> bool:
        pool = await _port_pool(vks)
        return pool is not None and [slot.name for slot in pool.spec.slots] == ["1", "2"]

    await until(narrowed)


async def test_an_operation_says_which_address_is_not_reserved(vks: Vks) -> None:
    operation = await start(vks, count=2)
    pool = await vks.client.get(VerdaPortPool, "demo.web", vks.namespace)
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": "QuotaExceeded",
        "message": "slot 2: Quota exceeded for resources: ['port'].",
        "observedGeneration": pool.metadata.generation,
        "lastTransitionTime": "2030-01-01T00:00:00Z",
    }
    body = {
        "metadata": {"name": "demo.web", "namespace": vks.namespace},
        "status": {"conditions": [ready]},
    }
    await vks.client.apply(VerdaPortPool, body, field_manager="provider", subresource="status")

    async def said() -> bool:
        found = await vks.client.get(Operation, operation["id"], vks.namespace)
        return any("['port']" in step.message for step in found.status.steps)

    # The cluster has no Cluster yet, so that the pool waits for it; its infrastructure is made up.
    await until(lambda: _set_up(vks))
    await until(said)
    ready |= {"status": "True", "reason": "Reserved", "message": "2 slots"}
    await vks.client.apply(VerdaPortPool, body, field_manager="provider", subresource="status")

    async def goes_on() -> bool:
        return not await said()

    await until(goes_on)


async def _set_up(vks: Vks) -> bool:
    (pool,) = (await vks.client.list(NodePool, vks.namespace)).items
    return any(c.reason == "ReservingAddresses" for c in pool.status.conditions)


async def test_a_pool_takes_its_ports_with_it(vks: Vks) -> None:
    await start(vks, count=2)
    assert (await vks.call("DELETE", "/clusters/demo/node-pools/web")).status_code == 202

    async def gone() -> bool:
        pools = (await vks.client.list(NodePool, vks.namespace)).items
        return not pools and await _port_pool(vks) is None

    await until(gone)
