"""The LBaaS data plane: one HAProxy per load balancer inside the fabric."""

from vks.local.loadbalancer.types import (
    AdminState,
    Algorithm,
    HealthMonitor,
    Listener,
    LoadBalancer,
    LoadBalancerError,
    Member,
    MonitorType,
    OperatingStatus,
    Pool,
)

__all__ = [
    "AdminState",
    "Algorithm",
    "HealthMonitor",
    "Listener",
    "LoadBalancer",
    "LoadBalancerError",
    "Member",
    "MonitorType",
    "OperatingStatus",
    "Pool",
]
