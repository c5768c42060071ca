"""Killed after every change, before its answer is seen: converges, nothing twice, nothing left."""

from __future__ import annotations

import pytest
from tests.apiserver.provider.mortality import live_until
from tests.apiserver.provider.region import Region

from vks.kube.client import Client
from vks.resources.clusterapi import Cluster
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.verda.network import NETWORK


@pytest.mark.timeout(150)
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_death_after_every_change_neither_leaks_nor_duplicates(
    region: Region,
    client: Client,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    apiserver: object,
    limit: int,
) -> None:
    config = apiserver.config  # type: ignore[attr-defined]
    before = await region.census()
    await region.add_cluster()

    async def provisioned() -> bool:
        return bool((await region.cluster()).status.initialization.provisioned)

    deaths = await live_until(provisioned, config, namespace, monkeypatch, limit=limit)
    cluster = await region.core_sees_infrastructure()
    names = ("cp-0", "w-0")
    await region.add_machine("cp-0", zone=region.under_test.zones[0], control_plane=True)
    await region.add_machine("w-0", zone=region.under_test.zones[1])

    async def machines_provisioned() -> bool:
        machines = [await region.machine(name) for name in names]
        return all(machine.status.initialization.provisioned for machine in machines)

    deaths += await live_until(machines_provisioned, config, namespace, monkeypatch, limit=limit)

    made = {name: count - before[name] for name, count in (await region.census()).items()}
    assert made == {
        "servers": 2,
        "server groups": 2,
        "ports": 2,
        "networks": 1,
        "load balancers": 1,
    }
    balancer = await region.verda.loadbalancer.find_load_balancer(cluster.status.load_balancer.id)
    assert balancer is not None
    assert (len(balancer.listeners), len(balancer.pools)) == (1, 1)
    members = await region.verda.loadbalancer.members(cluster.status.load_balancer.pool_id)
    assert [member.name for member in members] == ["cp-0"]

    for name in names:
        await client.delete(VerdaMachine, name, namespace)
    await client.delete(VerdaCluster, "demo", namespace)

    async def gone() -> bool:
        machines = (await client.list(VerdaMachine, namespace)).items
        return not machines and not (await client.list(VerdaCluster, namespace)).items

    deaths += await live_until(gone, config, namespace, monkeypatch, limit=limit)
    await client.delete(Cluster, "demo", namespace)
    assert await region.census() == before
    routers = await region.verda._transport.list(NETWORK, "/routers", "routers", dict)
    assert routers == []
    assert deaths >= 18 // limit
