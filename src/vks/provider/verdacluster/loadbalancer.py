"""Phase: the load balancer in front of the cluster's API servers."""

from __future__ import annotations

from vks.provider.verdacluster.scope import Scope
from vks.resources.fields import Endpoint
from vks.resources.verdacluster import LoadBalancerStatus
from vks.runtime.result import Waiting
from vks.verda.loadbalancer import HealthMonitor, LoadBalancer, LoadBalancerRequest

API_PORT = 6443
POOL = "kube-apiserver"
#: LBaaS has no watch; a load balancer takes a second or so, and everything waits for it.
POLL = 0.5

#: Half a second until a dead API server gets no new connections matters more than the checks'
#: cost. `/readyz`, not just TCP: an API server listens before it can serve. Without etcd: when that
#: stands still, as it does when its leader changes, it does so for all API servers, and a load
#: balancer with no member left refuses what would only have had to wait. The timeout leaves a
#: busy one time to answer.
MONITOR = HealthMonitor(
    type="HTTPS",
    interval_ms=500,
    timeout_ms=2000,
    rise=1,
    fall=2,
    path="/readyz?exclude=etcd&exclude=etcd-readiness",
)


async def ensure_load_balancer(scope: Scope) -> LoadBalancerStatus:
    """The load balancer with its pool and listener. Raises Waiting until it is ACTIVE."""
    client = scope.account.cloud.loadbalancer
    endpoint = scope.cluster.spec.control_plane_endpoint or Endpoint()
    balancer = await client.create_load_balancer(
        scope.owner,
        LoadBalancerRequest(
            name=scope.name,
            zones=control_plane_zones(scope),
            vip_address=endpoint.host or None,
        ),
    )
    _require_active(balancer)
    pool = await client.create_pool(balancer.id, POOL, MONITOR, "ROUND_ROBIN")
    port = endpoint.port or API_PORT
    listener = await client.create_listener(balancer.id, POOL, port, pool.id)
    return LoadBalancerStatus(
        id=balancer.id,
        pool_id=pool.id,
        listener_id=listener.id,
        vip_address=balancer.vip_address,
    )


def control_plane_zones(scope: Scope) -> tuple[str, ...]:
    """The zones that hold control planes, in a stable order."""
    domains = scope.cluster.spec.failure_domains
    return tuple(sorted(name for name, domain in domains.items() if domain.control_plane))


def _require_active(balancer: LoadBalancer) -> None:
    match balancer.status:
        case "ACTIVE" | "PENDING_UPDATE":
            return
        case "ERROR":
            raise Waiting("LoadBalancerFailed", f"load balancer {balancer.id} is in ERROR", 10.0)
        case status:
            raise Waiting("LoadBalancerPending", f"load balancer is {status}", POLL)
