"""Static IP pools: the reserved addresses of node pools, slot by slot.

They are made, changed and deleted with their node pool; see `staticIP` there.
"""

from __future__ import annotations

from fastapi import APIRouter

from vks.resources.nodepool import nodepool_name
from vks.resources.verdaport import PORT_POOL_LABEL, VerdaPort, VerdaPortPool
from vks.service.api import models
from vks.service.api.context import Continue, Limit, Name, ScopeIn
from vks.service.api.problems import absent
from vks.service.api.regions import find_cluster, list_page
from vks.service.api.static_ip_models import StaticIPPoolView
from vks.service.api.static_ip_views import static_ip_pool_view
from vks.service.api.staticip import slots_of
from vks.service.names import CLUSTER_LABEL

router = APIRouter(prefix="/projects/{project}/clusters/{cluster}", tags=["static IP pools"])


@router.get("/static-ip-pools", operation_id="listStaticIPPools")
async def list_static_ip_pools(
    scope: ScopeIn, cluster: Name, limit: Limit = 100, continue_: Continue = None
) -> models.Page[StaticIPPoolView]:
    """The cluster's reserved addresses, by node pool."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    items, token = await list_page(
        [region],
        scope.caller,
        VerdaPortPool,
        limit=limit,
        token=continue_,
        label_selector=f"{CLUSTER_LABEL}={cluster}",
    )
    label = f"cluster.x-k8s.io/cluster-name={cluster}"
    ports = await region.client.list(VerdaPort, found.metadata.namespace, label_selector=label)
    by_pool: dict[str, dict[str, VerdaPort]] = {}
    for port in ports.items:
        pool = port.metadata.labels.get(PORT_POOL_LABEL, "")
        slot = port.metadata.name.removeprefix(f"{pool}.")
        by_pool.setdefault(pool, {})[slot] = port
    views = [static_ip_pool_view(pool, by_pool.get(pool.metadata.name, {})) for _, pool in items]
    return models.Page[StaticIPPoolView].of(views, token)


@router.get("/static-ip-pools/{pool}", operation_id="getStaticIPPool")
async def get_static_ip_pool(scope: ScopeIn, cluster: Name, pool: Name) -> StaticIPPoolView:
    """The slots of one node pool: address, MAC, port, node, state, and since when."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    namespace, name = found.metadata.namespace, nodepool_name(cluster, pool)
    with absent(f"cluster {cluster!r} has no node pool {pool!r} with static addresses"):
        ports = await region.client.get(VerdaPortPool, name, namespace)
    return static_ip_pool_view(ports, await slots_of(region, namespace, name))
