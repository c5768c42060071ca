"""Legacy clusters on a real API server and the local Verda, with true agents: from nothing to
nothing."""

from __future__ import annotations

import base64

import pytest
import yaml
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.provider.region import eventually

from vks.resources.core import Secret
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode

pytestmark = pytest.mark.timeout(180)


async def test_a_cluster_is_made_one_etcd_with_a_member_per_control_plane(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=3, default=2)
        await legacy.settled(5)
    planes = sorted(node.metadata.name for node in await legacy.nodes("control-plane"))
    assert legacy.world.voters == [f"etcd-{name}" for name in planes]
    assert sorted(legacy.world.nodes) == sorted(n.metadata.name for n in await legacy.nodes())
    zones = {node.spec.zone for node in await legacy.nodes("control-plane")}
    assert zones == set(legacy.region.under_test.zones)
    census = await legacy.region.census()
    assert (census["servers"], census["ports"], census["load balancers"]) == (5, 5, 0)


async def test_users_get_a_way_in_and_pods_get_routes(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, default=1)
        await legacy.settled(2)
        cluster = await legacy.cluster()
        (plane,) = await legacy.nodes("control-plane")
        assert cluster.status.endpoint is not None
        assert cluster.status.endpoint.host == plane.status.address
        secret = await legacy.client.get(Secret, f"{NAME}-kubeconfig", legacy.namespace)
        config = yaml.safe_load(base64.b64decode(secret.data["value"]))
        server = config["clusters"][0]["cluster"]["server"]
        assert server == f"https://{plane.status.address}:6443"
        authority = await legacy.client.get(Secret, f"{NAME}-ca", legacy.namespace)
        assert set(authority.data) == {"tls.crt", "tls.key"}
        router = await legacy.region.verda.network.router(cluster.status.network.router_id)
        wanted = {(n.status.pod_cidr, n.status.address) for n in await legacy.nodes()}
        assert {(route.destination, route.nexthop) for route in router.routes} == wanted
    applied = "\n".join(legacy.world.applied)
    assert "/apis/apps/v1/namespaces/kube-system/deployments/coredns" in applied


async def test_scaling_moves_members_one_by_one_and_drains_workers(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, default=2)
        await legacy.settled(3)
        await legacy.apply(replicas=3, default=2)
        await legacy.settled(5)
        for node in await legacy.nodes("worker"):
            legacy.world.pods[f"web-{node.metadata.name}"] = node.metadata.name
        await legacy.apply(replicas=1, default=1)
        await legacy.settled(2)
    (plane,) = await legacy.nodes("control-plane")
    assert legacy.world.voters == [f"etcd-{plane.metadata.name}"]
    assert len(legacy.world.evicted) == 1
    assert len(legacy.world.nodes) == 2
    assert legacy.world.votes == [(1, 2), (2, 3), (3, 2), (2, 1)]
    assert (await legacy.region.census())["servers"] == 2


@pytest.mark.parametrize("role", ["worker", "control-plane"])
async def test_a_lost_server_is_replaced(legacy: Legacy, role: str) -> None:
    async with legacy.server():
        await legacy.apply(replicas=3, default=1)
        await legacy.settled(4)
        lost = (await legacy.nodes(role))[0].metadata.name
        await legacy.datacenter.lose(lost)

        async def replaced() -> bool:
            return all(node.metadata.name != lost for node in await legacy.nodes())

        await eventually(replaced, 60.0)
        await legacy.settled(4)
    assert len(legacy.world.voters) == 3
    assert f"etcd-{lost}" not in legacy.world.voters
    assert lost not in legacy.world.nodes
    census = await legacy.region.census()
    assert (census["servers"], census["ports"]) == (4, 4)


async def test_another_image_replaces_every_node_without_fewer_votes(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=3, default=1)
        await legacy.settled(4)
        before = {node.metadata.name for node in await legacy.nodes()}
        images = await legacy.region.verda.image.images()
        await legacy.apply(replicas=3, image=images[0].id, default=1)
        await legacy.settled(4, patience=120.0)
    after = {node.metadata.name for node in await legacy.nodes()}
    assert not before & after
    assert min(voters for _, voters in legacy.world.votes[3:]) >= 3


async def test_a_deleted_cluster_leaves_nothing(legacy: Legacy) -> None:
    before = await legacy.region.census()
    async with legacy.server():
        await legacy.apply(replicas=3, default=1)
        await legacy.settled(4)
        await legacy.client.delete(LegacyCluster, NAME, legacy.namespace)
        await legacy.gone()
    assert await legacy.region.census() == before
    assert await legacy.region.verda.network.routers_of("") == []
    left = {s.metadata.name for s in (await legacy.client.list(Secret, legacy.namespace)).items}
    assert not left & {f"{NAME}-ca", f"{NAME}-legacy-keys", f"{NAME}-kubeconfig"}


async def test_a_node_deleted_by_hand_gets_a_successor(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, default=1)
        await legacy.settled(2)
        (worker,) = await legacy.nodes("worker")
        await legacy.client.delete(LegacyNode, worker.metadata.name, legacy.namespace)

        async def replaced() -> bool:
            return all(n.metadata.name != worker.metadata.name for n in await legacy.nodes())

        await eventually(replaced)
        await legacy.settled(2)
    assert (await legacy.region.census())["servers"] == 2
