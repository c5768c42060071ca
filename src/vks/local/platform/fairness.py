"""Whose requests the management cluster's API server works on when there are too many.

Cluster API's managers have hundreds of requests under way when many machines are created. Ours
are few, and somebody waits for each: a user for the API, and the managers themselves for the
infrastructure. So they do not wait behind those of the managers (API Priority and Fairness, see
"API Priority and Fairness" in the documentation of Kubernetes).
"""

from __future__ import annotations

from typing import Any

from vks.local.platform.management import COMPONENT_USERS

_API = "flowcontrol.apiserver.k8s.io/v1"
_NAME = "vks"
_OURS = ("provider", "controllers", "api", "legacy", "migration")
#: Of all the requests that the API server works on at a time. The built-in levels have 245 shares
#: together, 20 of them that of the managers, which borrow what nobody else uses.
_SHARES = 60
#: Before the schema that catches all users (9900).
_PRECEDENCE = 1000


def objects() -> list[dict[str, Any]]:
    """A priority level of our own programs, each with a queue for itself."""
    queues = {"queues": 16, "handSize": 4, "queueLengthLimit": 200}
    level = {
        "type": "Limited",
        "limited": {
            "nominalConcurrencyShares": _SHARES,
            "lendablePercent": 50,
            "limitResponse": {"type": "Queue", "queuing": queues},
        },
    }
    everything = {
        "verbs": ["*"],
        "apiGroups": ["*"],
        "resources": ["*"],
        "namespaces": ["*"],
        "clusterScope": True,
    }
    schema = {
        "priorityLevelConfiguration": {"name": _NAME},
        "matchingPrecedence": _PRECEDENCE,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [
            {
                "subjects": [
                    {"kind": "User", "user": {"name": COMPONENT_USERS[program]}}
                    for program in _OURS
                ],
                "resourceRules": [everything],
            }
        ],
    }
    return [
        _object("PriorityLevelConfiguration", level),
        _object("FlowSchema", schema),
    ]


def _object(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": _API, "kind": kind, "metadata": {"name": _NAME}, "spec": spec}
