"""Makes the plan, and puts it into the status."""

from __future__ import annotations

from typing import Any

import msgspec

from vks.kube.client import Client
from vks.kube.conditions import ConditionSet, conditions_body
from vks.kube.errors import ApiError, NotFound
from vks.kube.objects import Key
from vks.kube.times import rfc3339
from vks.migration.plan.observe import observe
from vks.migration.plan.outcome import Outcome, outcome
from vks.migration.run.status import PLANNED
from vks.resources.clustermigration import ClusterMigration
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.runtime.clock import Clock
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError
from vks.verda.failures import after, reason_of

#: What stands in a plan for the address that the load balancer will get.
VIP = "the load balancer's address"
#: Seconds after which a cluster whose API does not answer is asked again.
RETRY = 5.0


class Planner:
    def __init__(self, client: Client, accounts: Accounts, clock: Clock) -> None:
        self._client = client
        self._accounts = accounts
        self._clock = clock

    async def plan(
        self, migration: ClusterMigration, conditions: ConditionSet
    ) -> tuple[dict[str, Any], Result]:
        """The status with a new plan, or with what it waits for. Nothing has begun yet."""
        made, result = None, DONE
        try:
            made = await self._look(Key(migration.metadata.namespace, migration.spec.cluster_name))
            conditions.set(PLANNED, True, "Refused" if made.refusals else "Planned", made.summary)
        except (Waiting, CloudError) as failure:
            conditions.set(PLANNED, False, *reason_of(failure))
            result = after([failure])
        except ApiError as error:
            conditions.set(PLANNED, False, error.reason, error.message)
            result = Result(RETRY)
        body: dict[str, Any] = {
            "phase": "Planning",
            "conditions": conditions_body(conditions.all()),
        }
        if made is not None:
            request = migration.spec.plan_request
            body["phase"] = "Refused" if made.refusals else "Planned"
            body["plan"] = plan_body(made, request, rfc3339(self._clock.now()))
        elif migration.status.plan is not None:
            body["plan"] = msgspec.to_builtins(migration.status.plan)
        return body, result

    async def _look(self, key: Key) -> Outcome:
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


def plan_body(made: Outcome, request: str, now: str) -> dict[str, Any]:
    """The plan as the status holds it."""
    return {
        "request": request,
        "made": now,
        "generation": made.generation,
        "summary": made.summary,
        "refusals": msgspec.to_builtins(made.refusals),
        "nodes": [{"name": node.node, "changes": list(node.changes)} for node in made.nodes],
        "arguments": made.arguments,
        "serverNames": list(made.server_names),
        "rolled": list(made.rolled),
        "seconds": made.seconds,
    }
