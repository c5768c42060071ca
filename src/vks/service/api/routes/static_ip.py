"""Static IP pools: the reserved addresses of node pools, slot by slot.

They are made, changed and deleted with their node pool; see `staticIP` there.
"""

from __future__ import annotations

from fastapi import APIRouter

from vks.service.api import models
from vks.service.api.context import Continue, Limit, Name, ScopeIn
from vks.service.api.infrastructure import find_port_pool, find_port_pools
from vks.service.api.problems import Problem
from vks.service.api.regions import find_cluster, page_by_name
from vks.service.api.static_ip_models import StaticIPPoolView
from vks.service.api.static_ip_views import static_ip_pool_view

router = APIRouter(prefix="/projects/{project}/clusters/{cluster}", tags=["static IP pools"])


@router.get("/static-ip-pools", operation_id="listStaticIPPools")
async def list_static_ip_pools(
    scope: ScopeIn, cluster: Name, limit: Limit = 100, continue_: Continue = None
) -> models.Page[StaticIPPoolView]:
    """The cluster's reserved addresses, by node pool."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    known = await find_port_pools(region, found)
    views = {port_pool.pool.metadata.name: static_ip_pool_view(*port_pool) for port_pool in known}
    items, token = page_by_name(views, limit=limit, token=continue_)
    return models.Page[StaticIPPoolView].of(items, token)


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
