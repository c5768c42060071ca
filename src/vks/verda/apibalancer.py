"""The load balancer in front of a cluster's API servers, whoever provisions the cluster."""

from __future__ import annotations

from typing import NamedTuple

from vks.runtime.result import Waiting
from vks.verda.loadbalancer import (
    HealthMonitor,
    LoadBalancer,
    LoadBalancerClient,
    LoadBalancerRequest,
)

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


class ApiBalancer(NamedTuple):
    """Ids in the cloud, and the address that clients are given."""

    id: str
    pool_id: str
    listener_id: str
    vip_address: str


async def ensure_api_balancer(
    client: LoadBalancerClient, owner: str, request: LoadBalancerRequest, port: int = API_PORT
) -> ApiBalancer:
    """The owner's load balancer with its pool and listener. Raises Waiting until it is ACTIVE,
    CloudError."""
    balancer = await client.create_load_balancer(owner, request)
    _require_active(balancer)
    pool = await client.create_pool(balancer.id, POOL, MONITOR, "ROUND_ROBIN")
    listener = await client.create_listener(balancer.id, POOL, port, pool.id)
    return ApiBalancer(balancer.id, pool.id, listener.id, balancer.vip_address)


async def delete_api_balancers(client: LoadBalancerClient, owner: str) -> None:
    """All load balancers of the owner, one that nobody recorded among them. Raises Waiting until
    they are gone, CloudError."""
    for balancer in await client.load_balancers_of(owner):
        if balancer.status != "PENDING_DELETE":
            await client.delete_load_balancer(balancer.id)
    if await client.load_balancers_of(owner):
        raise Waiting("LoadBalancerDeleting", "waiting for the load balancer to be gone", POLL)


def _require_active(balancer: LoadBalancer) -> None:
    match balancer.status:
        case "ACTIVE" | "PENDING_UPDATE":
            return
        case "ERROR":
            raise Waiting("LoadBalancerFailed", f"load balancer {balancer.id} is in ERROR", 10.0)
        case status:
            raise Waiting("LoadBalancerPending", f"load balancer is {status}", POLL)
