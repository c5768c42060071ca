"""Reconciles VerdaPorts: reserved in the cloud, released when orphaned, watched for strangers."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import structlog

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet, conditions_body
from vks.kube.errors import NotFound as ObjectNotFound
from vks.kube.finalizers import remove_finalizer
from vks.kube.objects import Key, KubeObject
from vks.kube.times import rfc3339
from vks.provider.conditions import DELETING, PORT_CONDITIONS
from vks.provider.ownership import PORT_FINALIZER, claim, owner_id
from vks.provider.stores import Stores
from vks.provider.verdaport.holding import require_let_go
from vks.provider.verdaport.release import delete_port, release_orphan
from vks.provider.verdaport.reserve import Scope, reserve
from vks.provider.verdaport.slots import state_of
from vks.resources.clusterapi import Cluster
from vks.resources.contract import PAUSED, PAUSED_ANNOTATION, READY
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdaport import VerdaPort, VerdaPortStatus
from vks.runtime.clock import Clock
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError
from vks.verda.failures import after, reason_of
from vks.verda.pace import urgent

FIELD_MANAGER = "vks-verdaport"
#: Seconds between looks at a port although nothing happened: somebody may have deleted it.
VERIFY = 300.0

log = structlog.get_logger(__name__)


class PortReconciler:
    def __init__(self, client: Client, stores: Stores, accounts: Accounts, clock: Clock) -> None:
        self._client = client
        self._stores = stores
        self._accounts = accounts
        self._clock = clock
        self._applier = Applier(client, FIELD_MANAGER)

    async def reconcile(self, key: Key) -> Result:
        port = self._stores.ports.get(key)
        if port is None:
            return DONE
        conditions = ConditionSet(
            port.status.conditions,
            PORT_CONDITIONS,
            now=self._clock.now(),
            generation=port.metadata.generation,
        )
        cluster = self._stores.clusters.get(Key(key.namespace, port.spec.cluster_name))
        if PAUSED_ANNOTATION in port.metadata.annotations or (cluster and cluster.spec.paused):
            conditions.set(PAUSED, True, "Paused")
            return await self._publish(port, port.status, conditions, DONE)
        conditions.set(PAUSED, False, "NotPaused")
        verda = self._stores.infrastructure_of(cluster)
        if port.deleting:
            with urgent():
                return await self._delete(port, verda, conditions)
        if cluster is None or verda is None or not verda.status.network.subnet_id:
            conditions.set(READY, False, "WaitingForClusterInfrastructure", "no network yet")
            return await self._publish(port, port.status, conditions, DONE)
        port = await claim(self._client, port, PORT_FINALIZER)
        return await self._keep(port, cluster, verda, conditions)

    async def _keep(
        self, port: VerdaPort, cluster: Cluster, verda: VerdaCluster, conditions: ConditionSet
    ) -> Result:
        status, result = port.status, Result(VERIFY)
        try:
            scope = Scope(cluster, verda, await self._accounts.of(verda))
            status = await reserve(port, scope)
            port = msgspec.structs.replace(port, status=status)
            if await release_orphan(self._client, port, scope.account):
                return DONE  # what is written now brings the slot back here
            if port.spec.claim is None:
                await require_let_go(port, scope.account, None)
            conditions.set(READY, True, "Reserved")
        except CloudError as failure:
            # A cloud that does not answer says nothing about a port that is there.
            if not status.port_id:
                conditions.set(READY, False, *reason_of(failure))
            result = after([failure])
        except Waiting as waiting:
            conditions.set(READY, False, *reason_of(waiting))
            result = after([waiting])
        return await self._publish(port, status, conditions, result)

    async def _delete(
        self, port: VerdaPort, verda: VerdaCluster | None, conditions: ConditionSet
    ) -> Result:
        if PORT_FINALIZER not in port.metadata.finalizers:
            return DONE
        conditions.set(READY, False, "Deleting")
        try:
            if port.spec.deletion_policy == "Delete":
                await self._remove(port, verda)
        except (Waiting, CloudError) as failure:
            conditions.set(DELETING, True, *reason_of(failure))
            return await self._publish(port, port.status, conditions, after([failure]))
        with suppress(ObjectNotFound):
            await remove_finalizer(self._client, port, PORT_FINALIZER)
        log.info("port deleted", port=str(port.key), address=port.status.address)
        return DONE

    async def _remove(self, port: VerdaPort, verda: VerdaCluster | None) -> None:
        """Raises Waiting and CloudError until nothing is left of the port in the cloud."""
        if verda is None:
            raise Waiting("WaitingForVerdaCluster", "its VerdaCluster names the credential")
        account = await self._accounts.of(verda)
        released = await release_orphan(self._client, port, account)
        if port.spec.claim is not None and not released:
            raise Waiting("SlotInUse", f"{port.spec.claim.name} has the slot")
        await delete_port(port, account)

    def _holder(self, port: VerdaPort) -> KubeObject | None:
        claim_ = port.spec.claim
        if claim_ is None:
            return None
        key = Key(port.metadata.namespace, claim_.name)
        found: KubeObject | None = (
            self._stores.machines.get(key)
            if claim_.kind == "VerdaMachine"
            else self._stores.claims.get(key)
        )
        return found if found is not None and owner_id(found) == claim_.owner else None

    async def _publish(
        self, port: VerdaPort, status: VerdaPortStatus, conditions: ConditionSet, result: Result
    ) -> Result:
        state = state_of(msgspec.structs.replace(port, status=status), self._holder(port))
        same = state == port.status.state and bool(port.status.since)
        since = port.status.since if same else rfc3339(self._clock.now())
        new = msgspec.structs.replace(status, state=state, since=since)
        body = {
            "metadata": {"name": port.metadata.name, "namespace": port.metadata.namespace},
            "status": {
                **msgspec.to_builtins(new),
                "conditions": conditions_body(conditions.all()),
            },
        }
        await self._applier.apply(VerdaPort, body, observed=port, subresource="status")
        return result
