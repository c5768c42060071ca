"""Network, load balancer, ports and servers of a cluster, straight from the cloud's API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.create.region import Region
from vks.verda.apibalancer import MONITOR
from vks.verda.cloud import Cloud
from vks.verda.clusternetwork import API_PORT, security_rules
from vks.verda.compute import ServerRequest
from vks.verda.loadbalancer import LoadBalancerRequest
from vks.verda.network import PortRequest
from vks.verda.owner import owner_tag

#: Seconds between looks at what has no watch. Finer than VKS allows itself.
POLL = 0.1

FLAVORS = {"control-plane": "medium", "worker": "small"}


@dataclass(frozen=True)
class Infrastructure:
    """What the servers stand on. `servers` are ids by name, in the order of the request."""

    vip: str
    router_id: str
    servers: Mapping[str, str]


@asynccontextmanager
async def made(
    region: Region, cloud: Cloud, owner: str, pod_cidr: str, roles: Mapping[str, str]
) -> AsyncIterator[Infrastructure]:
    """Everything for servers with these names and roles (see FLAVORS); removed at the end."""
    try:
        yield await _make(region, cloud, owner, pod_cidr, roles)
    finally:
        await _remove(cloud, owner)


async def _make(
    region: Region, cloud: Cloud, owner: str, pod_cidr: str, roles: Mapping[str, str]
) -> Infrastructure:
    network, group_id, (vip, pool_id) = await asyncio.gather(
        _network(cloud, owner), _security_group(cloud, owner, pod_cidr), _balancer(cloud, owner)
    )
    network_id, subnet_id, router_id = network
    flavors = {flavor.name: flavor.id for flavor in await cloud.compute.flavors()}
    image_id = (await cloud.image.images())[0].id

    async def server(index: int, name: str, role: str) -> str:
        request = PortRequest(name, network_id, subnet_id, (group_id,), (pod_cidr,))
        port = await cloud.network.create_port(f"{owner}.{name}", request)
        if role == "control-plane":
            await cloud.loadbalancer.add_member(pool_id, name, port.ip, API_PORT)
        return await cloud.compute.create_server(
            f"{owner}.{name}",
            ServerRequest(
                name=name,
                flavor_id=flavors[FLAVORS[role]],
                image_id=image_id,
                port_ids=(port.id,),
                user_data=b"#cloud-config\n{}\n",
                zone=region.zones[index % len(region.zones)],
                tags=(_tag(owner),),
            ),
        )

    ids = await asyncio.gather(
        *(server(index, name, role) for index, (name, role) in enumerate(roles.items()))
    )
    return Infrastructure(vip, router_id, dict(zip(roles, ids, strict=True)))


async def _network(cloud: Cloud, owner: str) -> tuple[str, str, str]:
    network = await cloud.network.create_network(owner, owner)
    subnet = await cloud.network.create_subnet(owner, owner, network.id)
    router = await cloud.network.create_router(owner, owner)
    await cloud.network.add_router_interface(router.id, subnet.id)
    return network.id, subnet.id, router.id


async def _security_group(cloud: Cloud, owner: str, pod_cidr: str) -> str:
    group = await cloud.network.create_security_group(owner, owner)
    for rule in security_rules(group.id, (pod_cidr,)):
        await cloud.network.allow(group.id, rule)
    return group.id


async def _balancer(cloud: Cloud, owner: str) -> tuple[str, str]:
    client = cloud.loadbalancer
    request = LoadBalancerRequest(name=owner)
    balancer = await client.create_load_balancer(owner, request)
    while balancer.status != "ACTIVE":
        await asyncio.sleep(POLL)
        balancer = await client.create_load_balancer(owner, request)  # finds it
    pool = await client.create_pool(balancer.id, "api", MONITOR, "ROUND_ROBIN")
    await client.create_listener(balancer.id, "api", API_PORT, pool.id)
    return balancer.vip_address, pool.id


async def _remove(cloud: Cloud, owner: str) -> None:
    await _remove_servers(cloud, owner)
    for balancer in await cloud.loadbalancer.load_balancers_of(owner):
        await cloud.loadbalancer.delete_load_balancer(balancer.id)
    for port in await cloud.network.ports():
        if port.description.startswith(owner_tag(owner)):
            await cloud.network.delete_port(port.id)
    for router in await cloud.network.routers_of(owner):
        if router.routes:
            await cloud.network.remove_routes(router.id, router.routes)
        for port in await cloud.network.ports(device_id=router.id):
            for address in port.fixed_ips:
                await cloud.network.remove_router_interface(router.id, address.subnet_id)
        await cloud.network.delete_router(router.id)
    for network in await cloud.network.networks_of(owner):
        await cloud.network.delete_network(network.id)
    for group in await cloud.network.security_groups_of(owner):
        await cloud.network.delete_security_group(group.id)


async def _remove_servers(cloud: Cloud, owner: str) -> None:
    servers = await cloud.compute.servers(tags=(_tag(owner),))
    await asyncio.gather(*(cloud.compute.delete_server(server.id) for server in servers))
    while await cloud.compute.servers(tags=(_tag(owner),)):
        await asyncio.sleep(POLL)


def _tag(owner: str) -> str:
    return f"bench={owner}"
