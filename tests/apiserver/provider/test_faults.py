"""A cloud that fails, is slow, limits rates or loses answers: the same end, nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from tests.apiserver.provider.region import Faults, Region, eventually

from vks.provider.verdamachine import decide
from vks.resources.clusterapi import Cluster
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine

FAULTS: dict[str, dict[str, Any]] = {
    "errors": {"action": "error", "status": 500, "probability": 0.2},
    "rate limit": {"action": "error", "status": 429, "retry_after": 1, "probability": 0.2},
    "slow": {"action": "delay", "delay": 0.7, "probability": 0.5},
    "lost requests": {"action": "drop_before", "probability": 0.2},
    "lost answers": {"action": "drop_after", "probability": 0.2},
    "lost answers to every creation": {"action": "drop_after", "method": "POST", "count": 20},
}


@pytest.mark.timeout(150)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bad_cloud_gets_the_same_cluster_once(
    running: Region, faults: Faults, fault: str
) -> None:
    before = await running.census()
    for service in ("compute", "network", "lbaas", "image"):
        faults.add(service=service, **FAULTS[fault])
    await running.add_cluster()
    await running.core_sees_infrastructure()
    names = {"cp-0": True, "cp-1": True, "w-0": False}
    for (name, control_plane), zone in zip(names.items(), running.under_test.zones, strict=True):
        await running.add_machine(name, zone=zone, control_plane=control_plane)
    for name in names:
        await running.machine_is_provisioned(name)
    faults.clear()
    made = {name: count - before[name] for name, count in (await running.census()).items()}
    assert made == {
        "servers": 3,
        "server groups": 2,
        "ports": 3,
        "networks": 1,
        "load balancers": 1,
    }
    for service in ("compute", "network", "lbaas"):
        faults.add(service=service, **FAULTS[fault])
    for name in names:
        await running.client.delete(VerdaMachine, name, running.namespace)
    await running.client.delete(VerdaCluster, "demo", running.namespace)
    for name in names:
        await running.gone(VerdaMachine, name)
    await running.gone(VerdaCluster, "demo")
    faults.clear()
    await running.client.delete(Cluster, "demo", running.namespace)
    assert await running.census() == before


@pytest.mark.timeout(120)
async def test_a_machine_waits_for_room_in_its_zone_and_goes_on_by_itself(
    running: Region, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decide, "RETRY_ROOM", 1.0)
    await running.add_cluster()
    await running.core_sees_infrastructure()
    zone = running.under_test.zones[1]
    faults.add("full", path=f"^{zone}$")
    faults.add("drop_after", service="compute", method="DELETE", count=1)
    await running.add_machine("w-0", zone=zone)
    tried: set[str] = set()

    async def tried_again() -> bool:
        servers = await running.verda.compute.servers()
        assert len(servers) <= 1, "one attempt at a time"
        tried.update(server.id for server in servers)
        return len(tried) >= 3

    await eventually(tried_again)
    message = await running.says(VerdaMachine, "w-0", "NoRoomInZone")
    assert message.startswith(f"zone {zone} has no room for flavor ")
    faults.clear()
    machine = await running.machine_is_provisioned("w-0")
    assert machine.spec.availability_zone == zone
    census = await running.census()
    assert (census["servers"], census["ports"]) == (1, 1)
