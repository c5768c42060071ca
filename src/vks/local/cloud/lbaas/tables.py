"""What LBaaS remembers."""

from __future__ import annotations

from vks.local.cloud.core.table import Row, Table


class Monitor(Row, frozen=True, kw_only=True):
    """Times are milliseconds."""

    type: str
    interval_ms: int = 1000
    timeout_ms: int = 1000
    rise: int = 2
    fall: int = 2
    path: str | None = None


class LoadBalancer(Row, frozen=True, kw_only=True):
    """`generation` counts changes: the data plane is up to date when it has seen the last."""

    id: str
    project_id: str
    name: str
    description: str
    zones: list[str]
    vip_address: str
    status: str
    tags: list[str]
    generation: int
    created_at: str
    updated_at: str


class Pool(Row, frozen=True, kw_only=True):
    id: str
    loadbalancer_id: str
    name: str
    algorithm: str
    health_monitor: Monitor | None
    created_at: str


class Listener(Row, frozen=True, kw_only=True):
    id: str
    loadbalancer_id: str
    name: str
    protocol: str
    port: int
    pool_id: str
    created_at: str


class Member(Row, frozen=True, kw_only=True):
    id: str
    pool_id: str
    name: str
    address: str
    port: int
    zone: str | None
    weight: int
    admin_state: str
    created_at: str


class LbQuota(Row, frozen=True, kw_only=True):
    project_id: str
    resource: str
    maximum: int


LOAD_BALANCERS = Table("load_balancers", LoadBalancer, constraints=("UNIQUE (vip_address)",))
POOLS = Table("pools", Pool, indexes=("loadbalancer_id",))
LISTENERS = Table("listeners", Listener, constraints=("UNIQUE (loadbalancer_id, port)",))
MEMBERS = Table("members", Member, constraints=("UNIQUE (pool_id, address, port)",))
LB_QUOTAS = Table("lb_quotas", LbQuota, key=("project_id", "resource"))

LBAAS_TABLES = (LOAD_BALANCERS, POOLS, LISTENERS, MEMBERS, LB_QUOTAS)
