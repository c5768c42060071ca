"""Cluster API manages the cluster as it is."""

from __future__ import annotations

from vks.migration.adopt.observe import require_settled
from vks.migration.rollback.comeback import come_back
from vks.migration.rollback.dissolve import require_all_kept
from vks.migration.run.scope import Scope


class Settle:
    """The way back begins here, if there is one."""

    name = "Settle"

    async def do(self, scope: Scope) -> None:
        await require_settled(scope)

    async def undo(self, scope: Scope) -> None:
        await come_back(scope)  # a node that was repaired is Cluster API's own as well
        await require_all_kept(scope)
