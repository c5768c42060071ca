"""The ClusterMigration controller. So far it plans; the phases that change something follow."""

from __future__ import annotations

from typing import Any

import msgspec

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet, conditions_body
from vks.kube.errors import ApiError, NotFound
from vks.kube.objects import Key
from vks.kube.times import rfc3339
from vks.migration.plan.observe import observe
from vks.migration.plan.outcome import Outcome, outcome
from vks.resources.clustermigration import ClusterMigration
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.runtime.clock import Clock
from vks.runtime.controller import Controller
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result, Waiting
from vks.runtime.store import Store
from vks.runtime.watches import Watch
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError
from vks.verda.failures import after, reason_of

NAME = "vks-migration"
PLANNED = "Planned"
#: What stands in a plan for the address that the load balancer will get.
VIP = "the load balancer's address"
#: Seconds after which a cluster whose API does not answer is asked again.
RETRY = 5.0


class MigrationReconciler:
    def __init__(
        self,
        client: Client,
        migrations: Store[ClusterMigration],
        accounts: Accounts,
        clock: Clock,
    ) -> None:
        self._client = client
        self._migrations = migrations
        self._accounts = accounts
        self._clock = clock
        self._applier = Applier(client, NAME)

    async def reconcile(self, key: Key) -> Result:
        migration = self._migrations.get(key)
        if migration is None or migration.deleting:
            return DONE
        plan = migration.status.plan
        if plan is not None and plan.request == migration.spec.plan_request:
            return DONE
        conditions = ConditionSet(
            migration.status.conditions,
            (PLANNED,),
            now=self._clock.now(),
            generation=migration.metadata.generation,
        )
        try:
            made = await self._plan(Key(key.namespace, migration.spec.cluster_name))
        except (Waiting, CloudError) as failure:
            conditions.set(PLANNED, False, *reason_of(failure))
            return await self._publish(migration, None, conditions, after([failure]))
        except ApiError as error:
            conditions.set(PLANNED, False, error.reason, error.message)
            return await self._publish(migration, None, conditions, Result(RETRY))
        conditions.set(PLANNED, True, "Refused" if made.refusals else "Planned", made.summary)
        return await self._publish(migration, made, conditions, DONE)

    async def _plan(self, key: Key) -> Outcome:
        """From what is true now: no cache is asked. Raises Waiting, CloudError, ApiError."""
        try:
            cluster = await self._client.get(LegacyCluster, key.name, key.namespace)
        except NotFound:
            message = "the legacy provisioner has no such cluster"
            raise Waiting("NotLegacy", message, 5.0) from None
        nodes = [
            node
            for node in (await self._client.list(LegacyNode, key.namespace)).items
            if node.spec.cluster_name == key.name and not node.deleting
        ]
        cloud = (await self._accounts.of(cluster)).cloud
        facts = await observe(self._client, cluster, nodes, cloud, self._clock.now())
        return outcome(facts, endpoint=VIP)

    async def _publish(
        self,
        migration: ClusterMigration,
        made: Outcome | None,
        conditions: ConditionSet,
        result: Result,
    ) -> Result:
        status: dict[str, Any] = {
            "phase": "Planning",
            "conditions": conditions_body(conditions.all()),
        }
        if made is not None:
            request = migration.spec.plan_request
            status["phase"] = "Refused" if made.refusals else "Planned"
            status["plan"] = plan_body(made, request, rfc3339(self._clock.now()))
        elif migration.status.plan is not None:
            status["plan"] = msgspec.to_builtins(migration.status.plan)
        meta = {"name": migration.metadata.name, "namespace": migration.metadata.namespace}
        body = {"metadata": meta, "status": status}
        await self._applier.apply(ClusterMigration, body, observed=migration, subresource="status")
        return result


def plan_body(made: Outcome, request: str, now: str) -> dict[str, Any]:
    """The plan as the status holds it."""
    return {
        "request": request,
        "made": now,
        "summary": made.summary,
        "refusals": msgspec.to_builtins(made.refusals),
        "nodes": [{"name": node.node, "changes": list(node.changes)} for node in made.nodes],
        "arguments": made.arguments,
        "serverNames": list(made.server_names),
        "rolled": list(made.rolled),
        "seconds": made.seconds,
    }


def setup(manager: Manager) -> Controller:
    """Add everything that migrates to the manager."""
    accounts = Accounts(manager.client, lambda key: None, manager.clock)
    reconciler = MigrationReconciler(
        manager.client,
        manager.informer(ClusterMigration).store,
        accounts,
        manager.clock,
    )
    controller = Controller(
        "clustermigration", reconciler.reconcile, workers=4, watches=[Watch(ClusterMigration)]
    )
    manager.add(accounts)
    manager.add(controller)
    return controller
