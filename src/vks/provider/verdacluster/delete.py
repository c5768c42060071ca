"""Phase: the end. Everything is looked up by its owner, so that nothing that a killed process made
without recording it stays behind."""

from __future__ import annotations

from vks.provider.verdacluster.scope import Scope
from vks.runtime.result import Waiting
from vks.verda.clusternetwork import delete_network

POLL = 0.5


async def delete_all(scope: Scope) -> None:
    """Ask for the end of all that the cluster has. Raises Waiting until the cloud has let go."""
    await _delete_load_balancers(scope)
    await _delete_server_groups(scope)
    await delete_network(scope.account.cloud.network, scope.owner)


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
