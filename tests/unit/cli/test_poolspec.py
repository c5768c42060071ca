"""`--pool` as users write it."""

from __future__ import annotations

import pytest

from vks.cli.poolspec import PoolSpecError, parse_pool


def test_a_pool_with_everything() -> None:
    text = "name=gpu;count=3;flavor=small;zones=a,b;label=x:y;taint=k:v:NoSchedule"
    assert parse_pool(text) == {
        "name": "gpu",
        "replicas": 3,
        "flavor": "small",
        "zones": ["a", "b"],
        "labels": {"x": "y"},
        "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}],
    }


@pytest.mark.parametrize(
    ("text", "asked"),
    [("3", {"count": 3}), ("10.0.0.5,10.0.0.6", {"addresses": ["10.0.0.5", "10.0.0.6"]})],
)
def test_static_addresses_are_a_number_or_a_list(text: str, asked: dict[str, object]) -> None:
    assert parse_pool(f"name=a;count=1;flavor=s;static-ips={text}")["staticIP"] == asked


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name=a;count=x;flavor=s", "count=x"),
        ("name=a;flavor=s", "count missing"),
        ("name=a;count=1;flavor=s;pre=/nowhere", "pre=/nowhere"),
        ("nonsense", "nonsense"),
        ("name=a;count=1;flavor=s;colour=red", "colour"),
        ("name=a;count=1;flavor=s;taint=k:v:Never", "taint=k:v:Never"),
    ],
)
def test_a_mistake_is_named(text: str, named: str) -> None:
    with pytest.raises(PoolSpecError, match=named):
        parse_pool(text)
