"""Conditions as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import Condition
from vks.service.api import shapes


def condition_views(conditions: Iterable[Condition]) -> list[shapes.Condition]:
    return [
        shapes.Condition(
            type=condition.type,
            status=condition.status,
            reason=condition.reason,
            message=condition.message,
            last_transition_time=condition.last_transition_time,
        )
        for condition in conditions
    ]
