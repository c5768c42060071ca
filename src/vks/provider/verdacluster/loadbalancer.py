"""Phase: the load balancer in front of the cluster's API servers."""

from __future__ import annotations

from vks.provider.verdacluster.scope import Scope
from vks.resources.fields import Endpoint
from vks.resources.verdacluster import LoadBalancerStatus
from vks.verda.apibalancer import API_PORT, ensure_api_balancer
from vks.verda.loadbalancer import LoadBalancerRequest


async def ensure_load_balancer(scope: Scope) -> LoadBalancerStatus:
    """The load balancer with its pool and listener. Raises Waiting until it is ACTIVE."""
    endpoint = scope.cluster.spec.control_plane_endpoint or Endpoint()
    balancer = await ensure_api_balancer(
        scope.account.cloud.loadbalancer,
        scope.owner,
        LoadBalancerRequest(
            name=scope.name,
            zones=control_plane_zones(scope),
            vip_address=endpoint.host or None,
        ),
        endpoint.port or API_PORT,
    )
    return LoadBalancerStatus(
        id=balancer.id,
        pool_id=balancer.pool_id,
        listener_id=balancer.listener_id,
        vip_address=balancer.vip_address,
    )


def control_plane_zones(scope: Scope) -> tuple[str, ...]:
    """The zones that hold control planes, in a stable order."""
    domains = scope.cluster.spec.failure_domains
    return tuple(sorted(name for name, domain in domains.items() if domain.control_plane))
