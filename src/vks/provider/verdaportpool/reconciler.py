"""Reconciles VerdaPortPools: applies and retires VerdaPorts; goes when the last one has gone."""

from __future__ import annotations

from contextlib import suppress

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet, conditions_body
from vks.kube.errors import NotFound
from vks.kube.finalizers import add_finalizer, remove_finalizer
from vks.kube.objects import Key
from vks.provider.conditions import PORT_CONDITIONS
from vks.provider.ownership import PORT_POOL_FINALIZER
from vks.provider.stores import Stores
from vks.provider.verdaportpool.plan import counts, plan, set_ready
from vks.resources.contract import PAUSED, PAUSED_ANNOTATION
from vks.resources.verdaport import PORT_POOL_LABEL, VerdaPort, VerdaPortPool
from vks.runtime.clock import Clock
from vks.runtime.result import DONE, Result

FIELD_MANAGER = "vks-verdaportpool"


class PortPoolReconciler:
    def __init__(self, client: Client, stores: Stores, clock: Clock) -> None:
        self._client = client
        self._stores = stores
        self._clock = clock
        self._applier = Applier(client, FIELD_MANAGER)

    async def reconcile(self, key: Key) -> Result:
        pool = self._stores.port_pools.get(key)
        if pool is None:
            return DONE
        conditions = ConditionSet(
            pool.status.conditions,
            PORT_CONDITIONS,
            now=self._clock.now(),
            generation=pool.metadata.generation,
        )
        found = self._stores.ports.by_index("pool", str(key))
        ports = sorted(found, key=lambda port: port.metadata.name)
        cluster = self._stores.clusters.get(Key(key.namespace, pool.spec.cluster_name))
        if PAUSED_ANNOTATION in pool.metadata.annotations or (cluster and cluster.spec.paused):
            conditions.set(PAUSED, True, "Paused")
            return await self._publish(pool, ports, conditions)
        conditions.set(PAUSED, False, "NotPaused")
        if not pool.deleting:
            pool = await add_finalizer(self._client, pool, PORT_POOL_FINALIZER)
        changes = plan(pool, ports)
        for body in changes.apply:
            await self._applier.apply(VerdaPort, body)
        for port in changes.retire:
            meta = port.metadata
            await self._client.delete(VerdaPort, meta.name, meta.namespace, uid=meta.uid)
        if pool.deleting and not ports and await self._none_left(pool):
            with suppress(NotFound):
                await remove_finalizer(self._client, pool, PORT_POOL_FINALIZER)
            return DONE
        set_ready(pool, ports, conditions)
        return await self._publish(pool, ports, conditions)

    async def _none_left(self, pool: VerdaPortPool) -> bool:
        """Asked of the API server: a predecessor may have made one that the cache lacks."""
        selector = f"{PORT_POOL_LABEL}={pool.metadata.name}"
        listed = await self._client.list(
            VerdaPort, pool.metadata.namespace, label_selector=selector
        )
        return not listed.items

    async def _publish(
        self, pool: VerdaPortPool, ports: list[VerdaPort], conditions: ConditionSet
    ) -> Result:
        body = {
            "metadata": {"name": pool.metadata.name, "namespace": pool.metadata.namespace},
            "status": {**counts(ports), "conditions": conditions_body(conditions.all())},
        }
        await self._applier.apply(VerdaPortPool, body, observed=pool, subresource="status")
        return DONE
