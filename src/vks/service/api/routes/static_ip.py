"""Static IP pools: the reserved addresses of node pools, slot by slot.

They are made, changed and deleted with their node pool; see `staticIP` there.
"""

from __future__ import annotations

from fastapi import APIRouter

from vks.resources.verdaport import VerdaPortPool
from vks.service.api import models
from vks.service.api.context import Continue, Limit, Name, ScopeIn
from vks.service.api.infrastructure import find_port_pool, find_port_pools
from vks.service.api.problems import Problem
from vks.service.api.regions import find_cluster, list_page
from vks.service.api.static_ip_models import StaticIPPoolView
from vks.service.api.static_ip_views import static_ip_pool_view
from vks.service.names import CLUSTER_LABEL

router = APIRouter(prefix="/projects/{project}/clusters/{cluster}", tags=["static IP pools"])


@router.get("/static-ip-pools", operation_id="listStaticIPPools")
async def list_static_ip_pools(
    scope: ScopeIn, cluster: Name, limit: Limit = 100, continue_: Continue = None
) -> models.Page[StaticIPPoolView]:
    """The cluster's reserved addresses, by node pool."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    pools = {known.pool.metadata.name: known for known in await find_port_pools(region, found)}
    if found.spec.provisioner == "legacy":
        legacy = [static_ip_pool_view(*known) for known in pools.values()]
        return models.Page[StaticIPPoolView].of(legacy, None)
    items, token = await list_page(
        [region],
        scope.caller,
        VerdaPortPool,
        limit=limit,
        token=continue_,
        label_selector=f"{CLUSTER_LABEL}={cluster}",
    )
    names = [pool.metadata.name for _, pool in items]
    views = [static_ip_pool_view(*pools[name]) for name in names if name in pools]
    return models.Page[StaticIPPoolView].of(views, token)


@router.get("/static-ip-pools/{pool}", operation_id="getStaticIPPool")
async def get_static_ip_pool(scope: ScopeIn, cluster: Name, pool: Name) -> StaticIPPoolView:
    """The slots of one node pool: address, MAC, port, node, state, and since when."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    known = await find_port_pool(region, found, pool)
    if known is None:
        raise Problem(
            "not_found", f"cluster {cluster!r} has no node pool {pool!r} with static addresses"
        )
    return static_ip_pool_view(*known)
