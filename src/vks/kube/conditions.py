"""Conditions: what an object waits for or has reached, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from vks.kube.objects import Condition, find_condition
from vks.kube.times import rfc3339


def set_condition(
    conditions: Iterable[Condition],
    type_: str,
    status: bool | str,
    reason: str,
    message: str = "",
    *,
    now: datetime,
    observed_generation: int = 0,
) -> tuple[Condition, ...]:
    """`conditions` with that one set; the others and the order stay.

    The transition time changes only with the status. `status` is a bool, or "Unknown".
    """
    text = str(status)
    before = tuple(conditions)
    old = next((c for c in before if c.type == type_), None)
    since = old.last_transition_time if old and old.status == text else rfc3339(now)
    new = Condition(
        type=type_,
        status=text,
        reason=reason,
        message=message,
        last_transition_time=since,
        observed_generation=observed_generation,
    )
    if old is None:
        return (*before, new)
    return tuple(new if c.type == type_ else c for c in before)


def says(condition: Condition | None, status: bool | str, reason: str, message: str = "") -> bool:
    """Whether the condition says this, of whatever generation."""
    return condition is not None and (
        (condition.status, condition.reason, condition.message) == (str(status), reason, message)
    )


def conditions_body(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    """The conditions as an apply body wants them."""
    return [msgspec.to_builtins(condition) for condition in conditions]


class ConditionSet:
    """The conditions that one controller owns of an object. Others' are left out: under
    server-side apply, writing them would take them over."""

    def __init__(
        self,
        before: Iterable[Condition],
        owned: tuple[str, ...],
        *,
        now: datetime,
        generation: int,
    ) -> None:
        self._conditions = tuple(c for c in before if c.type in owned)
        self._now = now
        self._generation = generation

    def observe(self, generation: int) -> None:
        """The object has that generation now, by our own doing: what has been found out about the
        one before holds of it too."""
        self._conditions = tuple(
            msgspec.structs.replace(c, observed_generation=generation)
            if c.observed_generation == self._generation
            else c
            for c in self._conditions
        )
        self._generation = generation

    def set(self, type_: str, status: bool | str, reason: str, message: str = "") -> None:
        self._conditions = set_condition(
            self._conditions,
            type_,
            status,
            reason,
            message,
            now=self._now,
            observed_generation=self._generation,
        )

    def get(self, type_: str) -> Condition | None:
        return find_condition(self._conditions, type_)

    def is_true(self, type_: str) -> bool:
        condition = self.get(type_)
        return condition is not None and condition.status == "True"

    def all(self) -> tuple[Condition, ...]:
        return self._conditions
