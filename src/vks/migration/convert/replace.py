"""One node at a time, and each time only when everything is well."""

from __future__ import annotations

from vks.migration.adopt.observe import machines_of, require_settled
from vks.migration.adopt.rendered import deployments_of
from vks.migration.convert.act import replace_control_plane, replace_pool
from vks.migration.convert.next import Control, Nothing, Pool, Soak, choose
from vks.migration.rollback.comeback import come_back
from vks.migration.run.scope import Scope
from vks.resources.clustermigration import REPLACING
from vks.runtime.result import Waiting

POLL = 1.0


class Replace:
    """And back: the legacy provisioner builds anew what has been replaced."""

    name = "Replace"

    async def do(self, scope: Scope) -> None:
        await require_settled(scope)
        now = scope.clock.now()
        deployments = await deployments_of(scope.client, scope.cluster.key)
        match choose(await machines_of(scope), deployments.values(), now):
            case Soak():
                raise Waiting("CanarySoaks", "the first new node is watched for a while", POLL)
            case Control(machine=machine):
                name = machine.metadata.name
                scope.progress[name] = REPLACING
                await replace_control_plane(scope.client, machine, now)
                raise Waiting("ReplacingControlPlane", name, POLL)
            case Pool(deployment=deployment):
                await replace_pool(scope.client, deployment, now)
                raise Waiting("ReplacingPool", deployment["metadata"]["name"], POLL)
            case Nothing():
                left = ", ".join(node.metadata.name for node in scope.nodes)
                if left:
                    raise Waiting("NodesGo", left, POLL)

    async def undo(self, scope: Scope) -> None:
        await come_back(scope)
