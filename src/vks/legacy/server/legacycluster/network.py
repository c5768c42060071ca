"""Phase: the cluster's network, and the routes by which pods of different nodes meet."""

from __future__ import annotations

from collections.abc import Sequence

from vks.legacy.server.legacycluster.addresses import keep_slots, remove_slots
from vks.resources.legacycluster import LegacyCluster, LegacyGuest, LegacySlot
from vks.resources.legacynode import LegacyNode
from vks.resources.verdacluster import NetworkStatus
from vks.runtime.clock import Clock
from vks.runtime.result import Waiting
from vks.verda.accounts import Accounts
from vks.verda.apibalancer import delete_api_balancers
from vks.verda.clusternetwork import Wanted, delete_network, ensure_network
from vks.verda.network import NetworkClient, Route
from vks.verda.routes import route_change

#: How often network and routes are compared with the cloud although nothing changed, seconds.
VERIFY = 600.0


def desired_routes(nodes: Sequence[LegacyNode], guests: Sequence[LegacyGuest] = ()) -> list[Route]:
    """One per podCIDR, kept until its node is gone; a successor with the same one comes first, and
    so does a node of ours before a guest."""
    routes = {
        guest.pod_cidr: Route(destination=guest.pod_cidr, nexthop=guest.address)
        for guest in guests
        if guest.pod_cidr
    }
    for node in sorted(nodes, key=lambda node: not node.deleting):
        cidr, address = node.status.pod_cidr, node.status.address
        if cidr and address:
            routes[cidr] = Route(destination=cidr, nexthop=address)
    return [routes[cidr] for cidr in sorted(routes)]


class NetworkKeeper:
    """Asks the cloud when something has changed, and now and then."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._verified: dict[str, tuple[list[Route], float]] = {}

    async def ensure(self, cluster: LegacyCluster, nodes: Sequence[LegacyNode]) -> NetworkStatus:
        """Raises CloudError, and Waiting for a network that cannot be used."""
        routes = desired_routes(nodes, cluster.spec.guests)
        known = self._verified.get(cluster.metadata.uid)
        now = self._clock.monotonic()
        if known is not None and known[0] == routes and now - known[1] < VERIFY:
            return cluster.status.network
        client = (await self._accounts.of(cluster)).cloud.network
        network = cluster.status.network
        if known is None or now - known[1] >= VERIFY or not network.network_id:
            network = await ensure_network(client, _wanted(cluster))
        await _sync_routes(client, network, routes, cluster.spec.network.pod_cidr)
        if cluster.status.network == network:  # what is not published yet is not known yet
            self._verified[cluster.metadata.uid] = (routes, now)
        return network

    async def keep_slots(
        self, cluster: LegacyCluster, network: NetworkStatus, nodes: Sequence[LegacyNode]
    ) -> tuple[tuple[LegacySlot, ...], Waiting | None]:
        """The slots, and what one of them waits for. Raises CloudError."""
        client = (await self._accounts.of(cluster)).cloud.network
        return await keep_slots(client, cluster, network, nodes)

    def forget(self, cluster: LegacyCluster) -> None:
        """Look again before the next answer."""
        self._verified.pop(cluster.metadata.uid, None)

    async def remove(self, cluster: LegacyCluster) -> None:
        """Raises CloudError, and Waiting until the cloud has let go."""
        self.forget(cluster)
        cloud = (await self._accounts.of(cluster)).cloud
        await delete_api_balancers(cloud.loadbalancer, cluster.metadata.uid)  # of a migration
        client, network = cloud.network, cluster.status.network
        if network.router_id and not network.managed:
            await _sync_routes(client, network, [], cluster.spec.network.pod_cidr)
        await remove_slots(client, cluster)
        await delete_network(client, cluster.metadata.uid)


def _wanted(cluster: LegacyCluster) -> Wanted:
    meta, network = cluster.metadata, cluster.spec.network
    name = f"vks-{meta.namespace}-{meta.name}"
    return Wanted(meta.uid, name, network.network_id, None, (network.pod_cidr,))


async def _sync_routes(
    client: NetworkClient, network: NetworkStatus, routes: list[Route], pod_cidr: str
) -> None:
    if not network.router_id:
        return
    router = await client.router(network.router_id)
    change = route_change(routes, router.routes, (pod_cidr,))
    if change.remove:
        await client.remove_routes(network.router_id, change.remove)
    if change.add:
        await client.add_routes(network.router_id, change.add)
