"""The rights that `kubeadm init` gives to nodes that join.

Source: kubeadm's phases bootstrap-token, upload-config and addon (cmd/kubeadm/app/phases).
"""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]

_API = "rbac.authorization.k8s.io/v1"
_GROUP = "rbac.authorization.k8s.io"
#: What a bootstrap token makes of whoever has it.
TOKEN_GROUP = "system:bootstrappers:kubeadm:default-node-token"  # noqa: S105 - a group
NODES_GROUP = "system:nodes"


def rights() -> list[Body]:
    return [
        # Anybody may read cluster-info: it is signed for those who have a token.
        *_readable("kube-public", "kubeadm:bootstrap-signer-clusterinfo", "cluster-info",
                   [_user("system:anonymous")]),
        *_readable("kube-system", "kubeadm:nodes-kubeadm-config", "kubeadm-config",
                   [_group(TOKEN_GROUP), _group(NODES_GROUP)]),
        *_readable("kube-system", "kubeadm:kubelet-config", "kubelet-config",
                   [_group(TOKEN_GROUP), _group(NODES_GROUP)]),
        *_readable("kube-system", "kube-proxy", "kube-proxy", [_group(TOKEN_GROUP)]),
        _cluster_binding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper",
                         _group(TOKEN_GROUP)),
        _cluster_binding("kubeadm:node-autoapprove-bootstrap",
                         "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
                         _group(TOKEN_GROUP)),
        _cluster_binding("kubeadm:node-autoapprove-certificate-rotation",
                         "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
                         _group(NODES_GROUP)),
        {"apiVersion": _API, "kind": "ClusterRole", "metadata": {"name": "kubeadm:get-nodes"},
         "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]},
        _cluster_binding("kubeadm:get-nodes", "kubeadm:get-nodes", _group(TOKEN_GROUP)),
        _cluster_binding("kubeadm:cluster-admins", "cluster-admin",
                         _group("kubeadm:cluster-admins")),
        _cluster_binding("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin",
                         _user("kube-apiserver-kubelet-client")),
        _cluster_binding("kubeadm:node-proxier", "system:node-proxier",
                         {"kind": "ServiceAccount", "name": "kube-proxy",
                          "namespace": "kube-system"}),
    ]  # fmt: skip


def _readable(namespace: str, name: str, config_map: str, subjects: list[Body]) -> list[Body]:
    meta = {"name": name, "namespace": namespace}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [config_map],
            "verbs": ["get"]}  # fmt: skip
    return [
        {"apiVersion": _API, "kind": "Role", "metadata": meta, "rules": [rule]},
        {
            "apiVersion": _API,
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": name},
            "subjects": subjects,
        },
    ]


def _cluster_binding(name: str, role: str, subject: Body) -> Body:
    return {
        "apiVersion": _API,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


def _group(name: str) -> Body:
    return {"apiGroup": _GROUP, "kind": "Group", "name": name}


def _user(name: str) -> Body:
    return {"apiGroup": _GROUP, "kind": "User", "name": name}
