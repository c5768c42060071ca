"""Brings the LBaaS data plane to what the load balancer API recorded."""

from __future__ import annotations

from vks.local.cloud.backends import BalancerBackend
from vks.local.cloud.core.database import Database
from vks.local.cloud.faults.rules import FaultRules
from vks.local.cloud.lbaas.tables import (
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
    LoadBalancer,
    Monitor,
)
from vks.local.loadbalancer import (
    AdminState,
    Algorithm,
    HealthMonitor,
    Listener,
    LoadBalancerError,
    Member,
    MonitorType,
    Pool,
)
from vks.local.loadbalancer import LoadBalancer as DesiredLoadBalancer


class LoadBalancerWorker:
    def __init__(self, db: Database, backend: BalancerBackend, faults: FaultRules) -> None:
        self._db = db
        self._backend = backend
        self._faults = faults

    def all(self) -> list[str]:
        return [lb.id for lb in LOAD_BALANCERS.find(self._db)]

    async def reconcile(self, lb_id: str) -> None:
        lb = LOAD_BALANCERS.get(self._db, id=lb_id)
        if lb is None:
            await self._backend.remove(lb_id)
            return
        leaving = lb.status == "PENDING_DELETE"
        kind = "loadbalancer.delete" if leaving else "loadbalancer.configure"
        if self._faults.held(kind, lb.id, lb.name):
            return
        if leaving:
            await self._backend.remove(lb.id)
            self._forget(lb)
            return
        try:
            await self._backend.ensure(self._desired(lb))
        except LoadBalancerError:
            self._settle(lb, "ERROR")
            raise
        self._settle(lb, "ACTIVE")

    def _settle(self, seen: LoadBalancer, status: str) -> None:
        """Only when nothing changed meanwhile; a change has put the key in the queue again."""
        with self._db.transaction():
            lb = LOAD_BALANCERS.get(self._db, id=seen.id)
            if lb and lb.generation == seen.generation and lb.status != status:
                LOAD_BALANCERS.update(self._db, lb, status=status)

    def _forget(self, lb: LoadBalancer) -> None:
        with self._db.transaction():
            for pool in POOLS.find(self._db, loadbalancer_id=lb.id):
                MEMBERS.delete(self._db, pool_id=pool.id)
            POOLS.delete(self._db, loadbalancer_id=lb.id)
            LISTENERS.delete(self._db, loadbalancer_id=lb.id)
            LOAD_BALANCERS.delete(self._db, id=lb.id)

    def _desired(self, lb: LoadBalancer) -> DesiredLoadBalancer:
        listeners = tuple(
            Listener(id=row.id, port=row.port, pool_id=row.pool_id)
            for row in LISTENERS.find(self._db, loadbalancer_id=lb.id)
        )
        pools = tuple(
            Pool(
                id=row.id,
                algorithm=Algorithm(row.algorithm),
                health_monitor=_monitor(row.health_monitor),
                members=self._members(row.id),
            )
            for row in POOLS.find(self._db, loadbalancer_id=lb.id)
        )
        return DesiredLoadBalancer(id=lb.id, vip=lb.vip_address, listeners=listeners, pools=pools)

    def _members(self, pool_id: str) -> tuple[Member, ...]:
        return tuple(
            Member(
                id=row.id,
                address=row.address,
                port=row.port,
                weight=row.weight,
                admin_state=AdminState(row.admin_state),
            )
            for row in MEMBERS.find(self._db, pool_id=pool_id)
        )


def _monitor(row: Monitor | None) -> HealthMonitor | None:
    if row is None:
        return None
    return HealthMonitor(
        type=MonitorType(row.type),
        interval_ms=row.interval_ms,
        timeout_ms=row.timeout_ms,
        rise=row.rise,
        fall=row.fall,
        path=row.path or "/readyz",
    )
