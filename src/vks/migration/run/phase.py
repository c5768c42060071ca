"""What phases are made of."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from vks.migration.run.scope import Scope
from vks.resources.clustermigration import Target


class Step(Protocol):
    """One small change of the world, and the way back.

    Both ways look first, return when what they want holds, and act and raise Waiting while it does
    not: they are called again and again, and may be killed at any line.
    """

    @property
    def name(self) -> str:
        """In CamelCase, as the status shows it."""
        ...

    async def do(self, scope: Scope) -> None:
        """Raises Waiting until it holds; CloudError and ApiError."""
        ...

    async def undo(self, scope: Scope) -> None:
        """The same for the way back, which also leads from half of `do`, or from nothing."""
        ...


class Phase(NamedTuple):
    """`doing` and `done` are what the migration's phase is called meanwhile and afterwards; `done`
    is the target that asks for it, and the condition that tells about it. `kept`: while it is the
    last one, its steps are done again and again, for what changes by itself. `ends`: its last step
    is the end of the LegacyCluster, and so of the migration."""

    name: str
    doing: str
    done: Target
    steps: tuple[Step, ...]
    kept: bool = False
    ends: bool = False
