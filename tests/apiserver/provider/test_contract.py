"""What Cluster API expects of a provider beside making things: whose they are, and moving them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.apiserver.provider.region import Region, eventually, provider

from vks.kube.client import Client
from vks.kube.objects import KubeObject, find_condition
from vks.resources.clusterapi import Cluster
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine, VerdaMachineTemplate
from vks.verda.compute import ServerRequest
from vks.verda.network import PortRequest


async def provisioned(region: Region, name: str = "demo") -> bool:
    return bool((await region.cluster(name)).status.initialization.provisioned)


async def test_a_cluster_that_somebody_else_manages_is_left_alone(
    region: Region, client: Client, namespace: str
) -> None:
    await region.add_cluster()
    annotations = {"cluster.x-k8s.io/managed-by": "somebody"}
    patch = {"metadata": {"annotations": annotations}}
    await client.merge_patch(VerdaCluster, "demo", namespace, patch)
    async with provider(client, namespace):
        await region.add_cluster("other")
        await eventually(lambda: provisioned(region, "other"))
    demo = await region.cluster()
    assert (demo.metadata.finalizers, demo.status.conditions) == ((), ())
    assert (await region.census())["networks"] == 1


async def test_a_paused_object_says_so_and_waits(
    region: Region, client: Client, namespace: str
) -> None:
    await region.add_cluster()
    paused = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}
    await client.merge_patch(VerdaCluster, "demo", namespace, paused)
    async with provider(client, namespace):

        async def says_so() -> bool:
            condition = find_condition((await region.cluster()).status.conditions, "Paused")
            return condition is not None and condition.status == "True"

        await eventually(says_so)
        assert set((await region.census()).values()) == {0}
        resumed = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": None}}}
        await client.merge_patch(VerdaCluster, "demo", namespace, resumed)
        await eventually(lambda: provisioned(region))


async def test_only_what_carries_the_filters_label_is_looked_at(
    region: Region, client: Client, namespace: str
) -> None:
    for name in ("demo", "other"):
        await region.add_cluster(name)
    labelled = {"metadata": {"labels": {"cluster.x-k8s.io/watch-filter": "ours"}}}
    for model in (Cluster, VerdaCluster):
        await client.merge_patch(model, "demo", namespace, labelled)
    async with provider(client, namespace, watch_filter="ours"):
        await eventually(lambda: provisioned(region))
    assert (await region.cluster("other")).status.conditions == ()
    assert (await region.census())["networks"] == 1


async def existing_server(region: Region) -> str:
    """A server of somebody's in the cluster's network."""
    network = (await region.cluster()).status.network
    port = await region.verda.network.create_port(
        "somebody", PortRequest("old", network.network_id, network.subnet_id)
    )
    flavor = (await region.verda.compute.flavors())[0]
    image = (await region.verda.image.images())[0]
    request = ServerRequest("old", flavor.id, image.id, (port.id,), zone=region.under_test.zones[2])
    return await region.verda.compute.create_server("somebody", request)


@pytest.mark.parametrize(("policy", "left"), [("Retain", 1), ("Delete", 0)])
async def test_a_server_is_adopted_by_its_id_and_kept_or_deleted_as_asked(
    running: Region, policy: str, left: int
) -> None:
    await running.add_cluster()
    await running.core_sees_infrastructure()
    server_id = await existing_server(running)
    zone = running.under_test.zones[2]
    await running.add_machine("old", zone=zone, adoptServerID=server_id, adoptedServerPolicy=policy)
    machine = await running.machine_is_provisioned("old")
    assert machine.status.server_id == server_id
    region = running.under_test.region
    assert machine.spec.provider_id == f"verda:///{region}/{zone}/{server_id}"
    assert [server.id for server in await running.verda.compute.servers()] == [server_id]
    await running.client.delete(VerdaMachine, "old", running.namespace)
    await running.gone(VerdaMachine, "old")
    assert len(await running.verda.compute.servers()) == left


async def move(client: Client, model: type[KubeObject], name: str, namespace: str) -> None:
    """As `clusterctl move` does it: the object comes anew, with its spec, without its status."""
    old = await client.get(model.resource, name, namespace)
    path = "/metadata/finalizers"
    await client.json_patch(model.resource, name, namespace, [{"op": "remove", "path": path}])
    await client.delete(model, name, namespace)
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
    metadata = {key: value for key, value in old["metadata"].items() if key in kept}
    await client.create(model.resource, {"metadata": metadata, "spec": old["spec"]})


async def test_moved_objects_find_what_they_have_and_delete_it_in_the_end(
    region: Region, client: Client, namespace: str
) -> None:
    before = await region.census()
    async with provider(client, namespace):
        await region.add_cluster()
        await region.core_sees_infrastructure()
        await region.add_machine("cp-0", zone=region.under_test.zones[0], control_plane=True)
        machine = await region.machine_is_provisioned("cp-0")
    there = await region.census()
    balancer = (await region.cluster()).status.load_balancer
    await move(client, VerdaMachine, "cp-0", namespace)
    await move(client, VerdaCluster, "demo", namespace)
    async with provider(client, namespace):
        await eventually(lambda: provisioned(region))
        moved = await region.machine_is_provisioned("cp-0")
        assert moved.metadata.uid != machine.metadata.uid
        assert moved.status.server_id == machine.status.server_id
        assert (await region.cluster()).status.load_balancer == balancer
        assert await region.census() == there
        for model, name in ((VerdaMachine, "cp-0"), (VerdaCluster, "demo")):
            await client.delete(model, name, namespace)
            await region.gone(model, name)
    assert await region.census() == before


async def test_a_control_plane_drains_before_it_leaves_the_load_balancer(running: Region) -> None:
    await running.add_cluster()
    cluster = await running.core_sees_infrastructure()
    await running.add_machine("cp-0", zone=running.under_test.zones[0], control_plane=True)
    await running.machine_is_provisioned("cp-0")
    pool = cluster.status.load_balancer.pool_id
    await running.client.delete(VerdaMachine, "cp-0", running.namespace)

    async def draining() -> bool:
        (member,) = await running.verda.loadbalancer.members(pool)
        (server,) = await running.verda.compute.servers()
        return member.admin_state == "DRAINING" and server.status == "ACTIVE"

    await eventually(draining)
    await running.gone(VerdaMachine, "cp-0")
    assert await running.verda.loadbalancer.members(pool) == []


async def test_servers_are_in_the_group_of_their_role(running: Region) -> None:
    await running.add_cluster()
    await running.core_sees_infrastructure()
    zones = running.under_test.zones
    await running.add_machine("cp-0", zone=zones[0], control_plane=True)
    await running.add_machine("w-0", zone=zones[1])
    ids = {n: (await running.machine_is_provisioned(n)).status.server_id for n in ("cp-0", "w-0")}
    groups = await running.verda.compute.server_groups()
    members = {group.name.partition(".")[0].rpartition("demo-")[2]: group for group in groups}
    assert members["control-plane"].members == (ids["cp-0"],)
    assert members["worker"].members == (ids["w-0"],)
    assert {group.policy for group in groups} == {"soft-anti-affinity"}


async def test_a_template_says_what_its_machines_offer_before_there_are_any(
    running: Region,
) -> None:
    await running.add_cluster()
    under_test = running.under_test
    spec: dict[str, Any] = {"flavor": under_test.flavors[0], "image": under_test.image}
    body = {
        "metadata": {
            "name": "t",
            "namespace": running.namespace,
            "labels": {"cluster.x-k8s.io/cluster-name": "demo"},
        },
        "spec": {"template": {"spec": spec}},
    }
    await running.client.create(VerdaMachineTemplate, body)

    async def told() -> VerdaMachineTemplate | None:
        found = await running.client.get(VerdaMachineTemplate, "t", running.namespace)
        return found if found.status.capacity else None

    template = await eventually(told)
    assert template is not None
    flavors = {flavor.name: flavor for flavor in await running.verda.compute.flavors()}
    flavor = flavors[under_test.flavors[0]]
    assert template.status.capacity["cpu"] == str(flavor.vcpus)
    assert template.status.capacity["memory"] == f"{flavor.ram}Mi"
    assert template.status.node_info is not None
    assert template.status.node_info.operating_system == "linux"
