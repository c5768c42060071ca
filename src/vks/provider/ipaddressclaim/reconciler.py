"""Reconciles IPAddressClaims on VerdaPortPools: claims a slot, publishes it, gives it back.

Source of the contract: "Contract rules for IPAM providers" in the Cluster API book. A claim gets
an address without a zone in mind, so that slots which are pinned to one are left to machines.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet, conditions_body
from vks.kube.errors import NotFound
from vks.kube.finalizers import remove_finalizer
from vks.kube.objects import Key
from vks.provider.conditions import DELETING, PORT_CONDITIONS
from vks.provider.ipaddressclaim.address import PROTECT_FINALIZER, address_body, asks_us
from vks.provider.ownership import ADDRESS_CLAIM_FINALIZER, claim, owner_id
from vks.provider.stores import Stores
from vks.provider.verdaport.claiming import release, take
from vks.provider.verdaport.holding import require_unbound
from vks.provider.verdaport.slots import choose, held_by, why_none
from vks.resources.clusterapi import Cluster
from vks.resources.contract import PAUSED, PAUSED_ANNOTATION, READY
from vks.resources.ipam import IPAddress, IPAddressClaim
from vks.resources.verdaport import PORT_POOL_LABEL, VerdaPort
from vks.runtime.clock import Clock
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError
from vks.verda.failures import after, reason_of

FIELD_MANAGER = "vks-ipaddressclaim"
NO_FREE_SLOT = "NoFreeSlot"


class AddressClaimReconciler:
    def __init__(self, client: Client, stores: Stores, accounts: Accounts, clock: Clock) -> None:
        self._client = client
        self._stores = stores
        self._accounts = accounts
        self._clock = clock
        self._applier = Applier(client, FIELD_MANAGER)

    async def reconcile(self, key: Key) -> Result:
        wish = self._stores.claims.get(key)
        if wish is None or not asks_us(wish):
            return DONE
        conditions = ConditionSet(
            wish.status.conditions,
            PORT_CONDITIONS,
            now=self._clock.now(),
            generation=wish.metadata.generation,
        )
        pool = self._stores.port_pools.get(Key(key.namespace, wish.spec.pool_ref.name))
        name = wish.spec.cluster_name or (pool.spec.cluster_name if pool is not None else "")
        cluster = self._stores.clusters.get(Key(key.namespace, name))
        if PAUSED_ANNOTATION in wish.metadata.annotations or (cluster and cluster.spec.paused):
            conditions.set(PAUSED, True, "Paused")
            return await self._publish(wish, conditions, None)
        conditions.set(PAUSED, False, "NotPaused")
        if wish.deleting:
            return await self._delete(wish, cluster, conditions)
        if pool is None or pool.deleting:
            conditions.set(READY, False, "PoolNotFound", f"no port pool {wish.spec.pool_ref.name}")
            return await self._publish(wish, conditions, None)
        wish = await claim(self._client, wish, ADDRESS_CLAIM_FINALIZER)
        ports = self._stores.ports.by_index("pool", str(pool.key))
        slot = held_by(ports, owner_id(wish))
        if slot is None:
            free = choose(ports, None, owner_id(wish))
            if free is None:
                message = why_none(ports, pool.metadata.name, None)
                conditions.set(READY, False, NO_FREE_SLOT, message)
                return await self._publish(wish, conditions, None)
            slot = await take(self._client, free, wish, None, self._clock.now())
        await self._applier.apply(IPAddress, address_body(wish, pool, slot))
        conditions.set(READY, True, "AddressAssigned")
        return await self._publish(wish, conditions, wish.metadata.name)

    async def _delete(
        self, wish: IPAddressClaim, cluster: Cluster | None, conditions: ConditionSet
    ) -> Result:
        if ADDRESS_CLAIM_FINALIZER not in wish.metadata.finalizers:
            return DONE
        conditions.set(READY, False, "Deleting")
        try:
            await self._release(wish, cluster)
        except (Waiting, CloudError) as failure:
            conditions.set(DELETING, True, *reason_of(failure))
            return await self._publish(wish, conditions, None, after([failure]))
        await self._remove_address(wish)
        with suppress(NotFound):
            await remove_finalizer(self._client, wish, ADDRESS_CLAIM_FINALIZER)
        return DONE

    async def _release(self, wish: IPAddressClaim, cluster: Cluster | None) -> None:
        """Whoever used the address must have let go of the port before it is another's."""
        listed = await self._client.list(
            VerdaPort,
            wish.metadata.namespace,
            label_selector=f"{PORT_POOL_LABEL}={wish.spec.pool_ref.name}",
        )
        mine = held_by(listed.items, owner_id(wish))
        if mine is None:
            return
        verda = self._stores.infrastructure_of(cluster)
        if verda is None:
            raise Waiting("WaitingForVerdaCluster", "its VerdaCluster names the credential")
        await require_unbound(mine, await self._accounts.of(verda))
        await release(self._client, mine)

    async def _remove_address(self, wish: IPAddressClaim) -> None:
        meta = wish.metadata
        try:
            address = await self._client.get(IPAddress, meta.name, meta.namespace)
            if address.spec.claim_ref.name == meta.name:
                await self._client.delete(
                    IPAddress, meta.name, meta.namespace, uid=address.metadata.uid
                )
                address = await self._client.get(IPAddress, meta.name, meta.namespace)
                await remove_finalizer(self._client, address, PROTECT_FINALIZER)
        except NotFound:
            return

    async def _publish(
        self,
        wish: IPAddressClaim,
        conditions: ConditionSet,
        address: str | None,
        result: Result = DONE,
    ) -> Result:
        status: dict[str, Any] = {"conditions": conditions_body(conditions.all())}
        if address is not None:
            status["addressRef"] = {"name": address}
        elif wish.status.address_ref is not None:
            status["addressRef"] = {"name": wish.status.address_ref.name}
        body = {
            "metadata": {"name": wish.metadata.name, "namespace": wish.metadata.namespace},
            "status": status,
        }
        await self._applier.apply(IPAddressClaim, body, observed=wish, subresource="status")
        return result
