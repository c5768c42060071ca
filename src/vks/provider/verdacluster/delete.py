"""Phase: the end. Everything is looked up by its owner, so that nothing that a killed process made
without recording it stays behind."""

from __future__ import annotations

from vks.provider.verdacluster.scope import Scope
from vks.runtime.result import Waiting
from vks.verda.errors import Conflict
from vks.verda.network import NetworkClient

POLL = 0.5


async def delete_all(scope: Scope) -> None:
    """Ask for the end of all that the cluster has. Raises Waiting until the cloud has let go."""
    await _delete_load_balancers(scope)
    await _delete_server_groups(scope)
    try:
        await _delete_network(scope)
    except Conflict as error:
        raise Waiting("NetworkInUse", error.message, POLL) from error


async def _delete_load_balancers(scope: Scope) -> None:
    client = scope.account.cloud.loadbalancer
    for balancer in await client.load_balancers_of(scope.owner):
        if balancer.status != "PENDING_DELETE":
            await client.delete_load_balancer(balancer.id)
    if await client.load_balancers_of(scope.owner):
        raise Waiting("LoadBalancerDeleting", "waiting for the load balancer to be gone", POLL)


async def _delete_server_groups(scope: Scope) -> None:
    compute = scope.account.cloud.compute
    for group in await compute.server_groups():
        if group.name.endswith(f".{scope.owner}"):
            await compute.delete_server_group(group.id)


async def _delete_network(scope: Scope) -> None:
    client = scope.account.cloud.network
    for router in await client.routers_of(scope.owner):
        if router.routes:
            await client.remove_routes(router.id, router.routes)
        await _unplug(client, router.id)
        await client.delete_router(router.id)
    for network in await client.networks_of(scope.owner):
        await client.delete_network(network.id)  # with its subnets
    for group in await client.security_groups_of(scope.owner):
        await client.delete_security_group(group.id)


async def _unplug(client: NetworkClient, router_id: str) -> None:
    for port in await client.ports(device_id=router_id):
        for subnet_id in {ip.subnet_id for ip in port.fixed_ips}:
            await client.remove_router_interface(router_id, subnet_id)
