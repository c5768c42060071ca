"""How long an object may be without owner before that is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from vks.provider.ownership import OWNER_GRACE, owner_grace
from vks.resources.verdamachine import VerdaMachine

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Stopped:
    def monotonic(self) -> float:
        return 0.0

    def now(self) -> datetime:
        return NOW


def machine(created: str | None) -> VerdaMachine:
    meta = {"name": "m", "namespace": "n", "creationTimestamp": created}
    spec = {"flavor": "small", "image": "image"}
    return msgspec.convert({"metadata": meta, "spec": spec}, VerdaMachine)


@pytest.mark.parametrize(
    ("age", "left"), [(0.0, OWNER_GRACE), (1.0, OWNER_GRACE - 1), (60.0, 0.0), (-9.0, OWNER_GRACE)]
)
def test_only_a_young_object_is_given_time(age: float, left: float) -> None:
    created = (NOW - timedelta(seconds=age)).isoformat()
    assert owner_grace(machine(created), Stopped()) == left


def test_an_object_of_unknown_age_is_not() -> None:
    assert owner_grace(machine(None), Stopped()) == 0.0
