"""The provider on a real API server and the local Verda: from nothing to nothing."""

from __future__ import annotations

from tests.apiserver.provider.region import Region, eventually

from vks.kube.objects import find_condition
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine


async def test_a_cluster_publishes_what_core_waits_for(running: Region) -> None:
    await running.add_cluster()
    cluster = await running.core_sees_infrastructure()
    endpoint = cluster.spec.control_plane_endpoint
    assert endpoint is not None
    assert (endpoint.host, endpoint.port) == (cluster.status.load_balancer.vip_address, 6443)
    domains = [(domain.name, domain.control_plane) for domain in cluster.status.failure_domains]
    assert domains == [(zone, True) for zone in sorted(running.under_test.zones)]
    assert cluster.status.network.managed is True
    for type_ in ("Ready", "NetworkReady", "ServerGroupsReady", "LoadBalancerReady"):
        condition = find_condition(cluster.status.conditions, type_)
        assert condition is not None
        assert condition.status == "True", condition
    assert cluster.metadata.finalizers == ("verdacluster.infrastructure.cluster.x-k8s.io",)


async def test_a_control_plane_machine_is_registered_before_it_starts(running: Region) -> None:
    await running.add_cluster()
    cluster = await running.core_sees_infrastructure()
    zone = running.under_test.zones[1]
    await running.add_machine("cp-0", zone=zone, control_plane=True, bootstrap=False)

    async def waits() -> bool:
        condition = find_condition((await running.machine("cp-0")).status.conditions, "Ready")
        return condition is not None and condition.reason == "WaitingForBootstrapData"

    await eventually(waits)
    (member,) = await running.verda.loadbalancer.members(cluster.status.load_balancer.pool_id)
    assert await running.verda.compute.servers() == []

    await running.bootstrap_is_ready("cp-0")
    machine = await running.machine_is_provisioned("cp-0")
    (server,) = await running.verda.compute.servers()
    assert machine.spec.availability_zone == zone
    assert machine.spec.provider_id == f"verda:///{running.under_test.region}/{zone}/{server.id}"
    assert machine.status.failure_domain == zone
    addresses = {address.type: address.address for address in machine.status.addresses}
    assert addresses == {"Hostname": "cp-0", "InternalIP": member.address}
    assert server.metadata["vks.role"] == "control-plane"


async def test_a_full_server_group_stops_no_worker(running: Region) -> None:
    quota = {"quota_set": {"server_group_members": 1}}
    admin = running.under_test.admin.compute
    answer = admin.put(f"/os-quota-sets/{running.project.id}", quota)
    assert answer.status_code == 200, answer.text
    await running.add_cluster()
    cluster = await running.core_sees_infrastructure()
    for name in ("w-0", "w-1", "w-2"):
        await running.add_machine(name, zone=running.under_test.zones[0])
    for name in ("w-0", "w-1", "w-2"):
        await running.machine_is_provisioned(name)
    groups = {group.id: group for group in await running.verda.compute.server_groups()}
    assert len(groups[cluster.status.server_groups.worker_id].members) == 1
    assert len(await running.verda.compute.servers()) == 3


async def test_deleting_everything_leaves_nothing_in_the_cloud(running: Region) -> None:
    before = await running.census()
    await running.add_cluster()
    await running.core_sees_infrastructure()
    zones = running.under_test.zones
    await running.add_machine("cp-0", zone=zones[0], control_plane=True)
    await running.add_machine("w-0", zone=zones[1])
    for name in ("cp-0", "w-0"):
        await running.machine_is_provisioned(name)
    assert (await running.census())["servers"] == 2

    await running.client.delete(VerdaCluster, "demo", running.namespace)

    async def waits_for_machines() -> bool:
        condition = find_condition((await running.cluster()).status.conditions, "Deleting")
        return condition is not None and condition.reason == "WaitingForMachines"

    await eventually(waits_for_machines)
    for name in ("cp-0", "w-0"):
        await running.client.delete(VerdaMachine, name, running.namespace)
        await running.client.delete(Machine, name, running.namespace)
        await running.gone(VerdaMachine, name)
    await running.gone(VerdaCluster, "demo")
    await running.client.delete(Cluster, "demo", running.namespace)
    assert await running.census() == before


async def test_a_scaled_down_control_plane_leaves_the_load_balancer(running: Region) -> None:
    await running.add_cluster()
    cluster = await running.core_sees_infrastructure()
    zones = running.under_test.zones
    for index in range(2):
        await running.add_machine(f"cp-{index}", zone=zones[index], control_plane=True)
        await running.machine_is_provisioned(f"cp-{index}")
    await running.client.delete(VerdaMachine, "cp-0", running.namespace)
    await running.gone(VerdaMachine, "cp-0")
    members = await running.verda.loadbalancer.members(cluster.status.load_balancer.pool_id)
    assert [member.name for member in members] == ["cp-1"]
    assert [server.name for server in await running.verda.compute.servers()] == ["cp-1"]


async def test_a_paused_cluster_is_left_alone(running: Region) -> None:
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.client.merge_patch(Cluster, "demo", running.namespace, {"spec": {"paused": True}})
    await running.add_machine("w-0", zone=running.under_test.zones[0])

    async def paused() -> bool:
        condition = find_condition((await running.machine("w-0")).status.conditions, "Paused")
        return condition is not None and condition.status == "True"

    await eventually(paused)
    assert await running.verda.compute.servers() == []
    patch = {"spec": {"paused": None}}
    await running.client.merge_patch(Cluster, "demo", running.namespace, patch)
    machine = await running.machine_is_provisioned("w-0")
    condition = find_condition(machine.status.conditions, "Paused")
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "NotPaused")
