"""Fault rules: which calls misbehave, how, and how often.

Rules are kept in the database, so that they outlive a kill of the process that they disturb.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Literal

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.table import Row, Table

Action = Literal["error", "delay", "drop_before", "drop_after", "hold", "full"]


class FaultRule(Row, frozen=True, kw_only=True):
    """`service`, `method` and `path` say which calls (empty: all); `path` is a regular
    expression searched in the path after the service's prefix.

    For `hold`, which stops the work behind the answer, `path` is searched in `KIND/ID NAME`
    (`server.create/6f… demo-cp-0`, `server.delete/…`, `server.power/…`, and for a port that stays
    bound to a server which is gone `port.unbind/PORT SERVER-NAME`); `service` and `method` do not
    matter. For `full` it is searched in a zone's name: no host there has room for another.
    """

    id: str
    action: str
    service: str = ""
    method: str = ""
    path: str = ""
    status: int = 500
    retry_after: int | None = None  # seconds, sent with the error
    delay: float = 0.0  # seconds before the call is handled
    probability: float = 1.0
    remaining: int | None = None  # hits left; None: without end
    hits: int = 0


FAULT_RULES = Table("fault_rules", FaultRule)


class FaultRules:
    """The rules in force. `roll` decides probabilities and is random.random unless tested."""

    def __init__(self, db: Database, roll: Callable[[], float] = random.random) -> None:
        self._db = db
        self._roll = roll
        self._rules: list[FaultRule] = []

    def load(self) -> None:
        self._rules = FAULT_RULES.find(self._db)

    def all(self) -> list[FaultRule]:
        return list(self._rules)

    def add(self, rule: FaultRule) -> None:
        FAULT_RULES.insert(self._db, rule)
        self.load()

    def remove(self, rule_id: str | None = None) -> int:
        """Remove one rule, or all; how many there were."""
        removed = (
            FAULT_RULES.delete(self._db, id=rule_id) if rule_id else FAULT_RULES.delete(self._db)
        )
        self.load()
        return removed

    def hits(self, service: str, method: str, path: str) -> list[FaultRule]:
        """The rules that strike this call, used up by one."""
        struck = [
            rule
            for rule in self._rules
            if rule.action not in ("hold", "full")
            and rule.service in ("", service)
            and rule.method in ("", method)
            and re.search(rule.path, path)
            and self._roll() < rule.probability
        ]
        return [rule for rule in struck if self._use(rule)]

    def held(self, kind: str, object_id: str, name: str) -> bool:
        """Whether background work on this object has to wait for a rule to go away."""
        subject = f"{kind}/{object_id} {name}"
        return any(rule.action == "hold" and re.search(rule.path, subject) for rule in self._rules)

    def full(self, zone: str) -> bool:
        """Whether no host of the zone has room."""
        return any(rule.action == "full" and re.search(rule.path, zone) for rule in self._rules)

    def _use(self, rule: FaultRule) -> bool:
        if rule.remaining is not None and rule.remaining <= 0:
            return False
        remaining = None if rule.remaining is None else rule.remaining - 1
        with self._db.transaction():
            FAULT_RULES.update(self._db, rule, hits=rule.hits + 1, remaining=remaining)
        self.load()
        return True
