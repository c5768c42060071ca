"""Phase: the end. Everything is looked up by its owner, so that nothing that a killed process made
without recording it stays behind."""

from __future__ import annotations

from vks.provider.verdacluster.scope import Scope
from vks.verda.apibalancer import delete_api_balancers
from vks.verda.clusternetwork import delete_network


async def delete_all(scope: Scope) -> None:
    """Ask for the end of all that the cluster has. Raises Waiting until the cloud has let go."""
    await delete_api_balancers(scope.account.cloud.loadbalancer, scope.owner)
    await _delete_server_groups(scope)
    await delete_network(scope.account.cloud.network, scope.owner)


async def _delete_server_groups(scope: Scope) -> None:
    compute = scope.account.cloud.compute
    for group in await compute.server_groups():
        if group.name.endswith(f".{scope.owner}"):
            await compute.delete_server_group(group.id)
