"""Takes the steps of a phase, forward or back, as far as they can be taken now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from vks.kube.errors import ApiError
from vks.migration.run.phase import Phase, Step
from vks.migration.run.scope import Scope
from vks.runtime.result import Result, Waiting
from vks.verda.errors import CloudError
from vks.verda.failures import after, reason_of

#: Seconds after which a cluster whose API does not answer is asked again.
RETRY = 2.0


class Outcome(NamedTuple):
    """How far it came: `step` is the one that waits, with reason and message; empty when all steps
    hold."""

    step: str = ""
    reason: str = ""
    message: str = ""
    result: Result = Result()

    @property
    def finished(self) -> bool:
        return not self.step


async def forward(phase: Phase, scope: Scope) -> Outcome:
    """All steps in order, the first ones too: what does not hold any more is mended first."""
    return await _take([(step, step.do) for step in phase.steps], scope)


async def back(phase: Phase, scope: Scope) -> Outcome:
    """The way back, the last step first."""
    return await _take([(step, step.undo) for step in reversed(phase.steps)], scope)


async def _take(
    moves: Sequence[tuple[Step, Callable[[Scope], Awaitable[None]]]], scope: Scope
) -> Outcome:
    for step, move in moves:
        try:
            await move(scope)
        except (Waiting, CloudError) as failure:
            return Outcome(step.name, *reason_of(failure), after([failure]))
        except ApiError as error:
            return Outcome(step.name, error.reason, error.message, Result(RETRY))
    return Outcome()
