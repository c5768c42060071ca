"""A load balancer as the data plane sees it: plain frozen values."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Algorithm(enum.StrEnum):
    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_CONNECTIONS = "LEAST_CONNECTIONS"


class MonitorType(enum.StrEnum):
    TCP = "TCP"
    HTTPS = "HTTPS"


class AdminState(enum.StrEnum):
    ENABLED = "ENABLED"
    DRAINING = "DRAINING"  # keeps its connections, gets no new one
    DISABLED = "DISABLED"  # gets nothing, its connections are closed


class OperatingStatus(enum.StrEnum):
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    DRAINING = "DRAINING"
    NO_MONITOR = "NO_MONITOR"  # the pool has no health monitor


class LoadBalancerError(Exception):
    """The data plane could not be brought to what was asked."""


@dataclass(frozen=True, slots=True)
class HealthMonitor:
    """Times are milliseconds; `path` is for HTTPS only, which accepts any certificate."""

    type: MonitorType
    interval_ms: int = 1000
    timeout_ms: int = 1000
    rise: int = 2
    fall: int = 2
    path: str = "/readyz"


@dataclass(frozen=True, slots=True)
class Member:
    id: str
    address: str
    port: int
    weight: int = 1  # 0..256
    admin_state: AdminState = AdminState.ENABLED


@dataclass(frozen=True, slots=True)
class Pool:
    id: str
    algorithm: Algorithm = Algorithm.ROUND_ROBIN
    health_monitor: HealthMonitor | None = None
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    id: str
    port: int
    pool_id: str


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    id: str
    vip: str
    listeners: tuple[Listener, ...] = ()
    pools: tuple[Pool, ...] = ()
