"""Who holds the number of machines, as the API server writes it down."""

from __future__ import annotations

from typing import Any

from vks.service.nodepool.replicas import holds_replicas


def entry(manager: str, operation: str, *fields: str) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "fieldsV1": {"f:spec": {field: {} for field in fields}},
    }


def test_only_what_the_manager_applied_counts() -> None:
    ours = entry("vks", "Apply", "f:replicas", "f:template")
    assert holds_replicas([ours], "vks")
    assert not holds_replicas([ours], "other")
    assert not holds_replicas([entry("vks", "Apply", "f:template")], "vks")
    assert not holds_replicas([entry("vks", "Update", "f:replicas")], "vks")
    assert not holds_replicas([{"manager": "vks", "operation": "Apply"}], "vks")
