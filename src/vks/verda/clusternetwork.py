"""The network that a cluster's servers are attached to, and its security group."""

from __future__ import annotations

from typing import NamedTuple

from vks.resources.verdacluster import NetworkStatus
from vks.runtime.result import Waiting
from vks.verda.errors import Conflict, NotFound
from vks.verda.network import NetworkClient, Rule, Subnet

API_PORT = 6443
#: Seconds until a network in use is tried again.
POLL = 0.5
_ROUTER_PORTS = (
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
)


class Wanted(NamedTuple):
    """`network_id` is an existing network to use; without it the owner gets one of its own, with
    `cidr` or a range of the subnet pool. `name` is for people."""

    owner: str
    name: str
    network_id: str | None
    cidr: str | None
    pod_cidrs: tuple[str, ...]


async def ensure_network(client: NetworkClient, wanted: Wanted) -> NetworkStatus:
    """Use the network that is named, or make one. Raises CloudError, and Waiting for a network
    that cannot be used."""
    group_id = await _ensure_security_group(client, wanted)
    if wanted.network_id:
        return await _existing(client, wanted.network_id, wanted.cidr, group_id)
    network = await client.create_network(wanted.owner, wanted.name)
    subnet = await client.create_subnet(wanted.owner, wanted.name, network.id, wanted.cidr)
    router = await client.create_router(wanted.owner, wanted.name)
    if not await _is_plugged(client, router.id, subnet.id):
        await client.add_router_interface(router.id, subnet.id)
    return NetworkStatus(
        network_id=network.id,
        subnet_id=subnet.id,
        router_id=router.id,
        security_group_id=group_id,
        cidr=subnet.cidr,
        managed=True,
    )


def security_rules(group_id: str, pod_cidrs: tuple[str, ...]) -> list[Rule]:
    """What may reach the servers: each other, the pods of all of them, and the API's clients
    (the load balancer and its health checks come from outside of the network)."""
    return [
        Rule(remote_group_id=group_id),
        *(Rule(remote_cidr=cidr) for cidr in pod_cidrs),
        Rule(protocol="tcp", port=API_PORT, remote_cidr="0.0.0.0/0"),
    ]


def choose_subnet(subnets: list[Subnet], cidr: str | None) -> Subnet | None:
    """The IPv4 subnet with that range; without a range the one with the smallest id."""
    fitting = [s for s in subnets if s.ip_version == 4 and cidr in (None, s.cidr)]
    return min(fitting, key=lambda subnet: subnet.id, default=None)


async def _ensure_security_group(client: NetworkClient, wanted: Wanted) -> str:
    group = await client.create_security_group(wanted.owner, wanted.name)
    for rule in security_rules(group.id, wanted.pod_cidrs):
        if not group.allows(rule):
            await client.allow(group.id, rule)
    return group.id


async def _existing(
    client: NetworkClient, network_id: str, cidr: str | None, group_id: str
) -> NetworkStatus:
    try:
        await client.network(network_id)
    except NotFound:
        raise Waiting("NetworkNotFound", f"network {network_id} does not exist", 30.0) from None
    subnet = choose_subnet(await client.subnets(network_id), cidr)
    if subnet is None:
        raise Waiting("SubnetNotFound", f"network {network_id} has no fitting subnet", 30.0)
    return NetworkStatus(
        network_id=network_id,
        subnet_id=subnet.id,
        router_id=await _router_of(client, network_id, subnet.id),
        security_group_id=group_id,
        cidr=subnet.cidr,
        managed=False,
    )


async def _router_of(client: NetworkClient, network_id: str, subnet_id: str) -> str:
    """The router that serves the subnet, empty when there is none: pod routes need one, overlay
    networks do not."""
    ports = await client.ports(network_id=network_id)
    routers = {
        port.device_id
        for port in ports
        if port.device_owner in _ROUTER_PORTS
        and any(ip.subnet_id == subnet_id for ip in port.fixed_ips)
    }
    return min(routers, default="")


async def _is_plugged(client: NetworkClient, router_id: str, subnet_id: str) -> bool:
    ports = await client.ports(device_id=router_id)
    return any(ip.subnet_id == subnet_id for port in ports for ip in port.fixed_ips)


async def delete_network(client: NetworkClient, owner: str) -> None:
    """The end of all that was made for the owner. Raises CloudError, and Waiting while it is in
    use."""
    try:
        await _delete_owned(client, owner)
    except Conflict as error:
        raise Waiting("NetworkInUse", error.message, POLL) from error


async def _delete_owned(client: NetworkClient, owner: str) -> None:
    for router in await client.routers_of(owner):
        if router.routes:
            await client.remove_routes(router.id, router.routes)
        await _unplug(client, router.id)
        await client.delete_router(router.id)
    for network in await client.networks_of(owner):
        await client.delete_network(network.id)  # with its subnets
    for group in await client.security_groups_of(owner):
        await client.delete_security_group(group.id)


async def _unplug(client: NetworkClient, router_id: str) -> None:
    for port in await client.ports(device_id=router_id):
        for subnet_id in {ip.subnet_id for ip in port.fixed_ips}:
            await client.remove_router_interface(router_id, subnet_id)
