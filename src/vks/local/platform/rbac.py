"""Who may do what in the management cluster: one user per component, named in its certificate.

Cluster API's managers and our provider get the roles that `clusterctl` would install for them
(what is missing there shows here); the service gets what it needs.
"""

from __future__ import annotations

from typing import Any

from vks.local.platform.management import COMPONENT_USERS, CONTROLLER_MANAGER_USER, MANAGERS

_API = "rbac.authorization.k8s.io/v1"

#: In `config/provider/manager.yaml`.
PROVIDER_ROLE = "capverda-manager-role"

_READ = ["get", "list", "watch"]
_WRITE = [*_READ, "create", "patch", "update", "delete"]


def objects() -> list[dict[str, Any]]:
    """Roles and bindings of every component."""
    bound = [
        binding(f"{manager.program}-manager-role", COMPONENT_USERS[manager.program])
        for manager in MANAGERS
    ]
    # With its own credentials instead of one service account per controller, it needs theirs.
    for controller in ("generic-garbage-collector", "namespace-controller"):
        bound.append(binding(f"system:controller:{controller}", CONTROLLER_MANAGER_USER))
    bound.append(binding(PROVIDER_ROLE, COMPONENT_USERS["provider"]))
    for component in ("controllers", "api", "legacy", "migration"):
        bound.append(role(f"vks:{component}", _rules(component)))
        bound.append(binding(f"vks:{component}", COMPONENT_USERS[component]))
    return bound


def role(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": _API, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}


def binding(role_name: str, user: str) -> dict[str, Any]:
    """Gives the cluster role to the user everywhere."""
    return {
        "apiVersion": _API,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"vks:{user.rpartition(':')[2]}:{role_name.rpartition(':')[2]}"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": role_name,
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


_CLUSTER_API_GROUPS = [
    "cluster.x-k8s.io",
    "bootstrap.cluster.x-k8s.io",
    "controlplane.cluster.x-k8s.io",
    "infrastructure.cluster.x-k8s.io",
    "addons.cluster.x-k8s.io",
]


def _rules(component: str) -> list[dict[str, Any]]:
    common = [
        _rule(["", "events.k8s.io"], ["events"], _WRITE),
        _rule(["coordination.k8s.io"], ["leases"], _WRITE),
    ]
    if component == "legacy":
        return [
            *common,
            _rule(["legacy.vks.verda"], ["*"], _WRITE),
            _rule([""], ["secrets"], _WRITE),
            _rule([""], ["configmaps"], _READ),
        ]
    if component == "migration":
        return [
            *common,
            _rule(["vks.verda", "legacy.vks.verda", *_CLUSTER_API_GROUPS], ["*"], _WRITE),
            _rule([""], ["secrets"], _WRITE),
        ]
    return [
        *common,
        _rule(["vks.verda", "legacy.vks.verda", *_CLUSTER_API_GROUPS], ["*"], _WRITE),
        _rule([""], ["secrets", "configmaps", "namespaces"], _WRITE),
    ]
