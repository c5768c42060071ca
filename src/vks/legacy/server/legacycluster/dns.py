"""Cluster DNS and what else a cluster has from its beginning, as objects to apply."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]

#: The group in the certificates that the service hands to users.
ADMIN_GROUP = "kubeadm:cluster-admins"

_NAME = "coredns"
_NAMESPACE = "kube-system"
_LABELS = {"k8s-app": "kube-dns"}
_COREFILE = """\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
"""


def system_objects(coredns_image: str, dns_address: str) -> list[Body]:
    """In the order in which they are to be applied."""
    return [
        _binding("vks:cluster-admins", "cluster-admin", _group(ADMIN_GROUP)),
        _object("v1", "ServiceAccount"),
        _object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            name="system:coredns",
            rules=[
                _rule([""], ["endpoints", "services", "pods", "namespaces"]),
                _rule(["discovery.k8s.io"], ["endpointslices"]),
            ],
        ),
        _binding(
            "system:coredns",
            "system:coredns",
            {"kind": "ServiceAccount", "name": _NAME, "namespace": _NAMESPACE},
        ),
        _object("v1", "ConfigMap", data={"Corefile": _COREFILE}),
        _object("apps/v1", "Deployment", labels=_LABELS, spec=_deployment(coredns_image)),
        _object("v1", "Service", name="kube-dns", labels=_LABELS, spec=_service(dns_address)),
    ]


def _object(
    api_version: str, kind: str, *, name: str = _NAME, labels: Body | None = None, **more: Any
) -> Body:
    meta: Body = {"name": name, "labels": labels or {}}
    if kind != "ClusterRole":
        meta["namespace"] = _NAMESPACE
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **more}


def _rule(groups: list[str], kinds: list[str]) -> Body:
    return {"apiGroups": groups, "resources": kinds, "verbs": ["list", "watch"]}


def _group(name: str) -> Body:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}


def _binding(name: str, role: str, subject: Body) -> Body:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


def _deployment(image: str) -> Body:
    """Tolerates control planes: a cluster of them alone has names, too."""
    return {
        "replicas": 2,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": _pod(image)},
    }


def _pod(image: str) -> Body:
    spread = {
        "weight": 100,
        "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": _LABELS},
        },
    }
    return {
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": _NAME,
        "dnsPolicy": "Default",
        "affinity": {
            "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [spread]}
        },
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/controlplane", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/etcd", "operator": "Exists"},
        ],
        "containers": [_container(image)],
        "volumes": [
            {
                "name": "config",
                "configMap": {"name": _NAME, "items": [{"key": "Corefile", "path": "Corefile"}]},
            }
        ],
    }


def _container(image: str) -> Body:
    return {
        "name": "coredns",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "ports": [
            {"containerPort": 53, "name": "dns", "protocol": "UDP"},
            {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
            {"containerPort": 9153, "name": "metrics", "protocol": "TCP"},
        ],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8080},
            "initialDelaySeconds": 60,
            "failureThreshold": 5,
            "timeoutSeconds": 5,
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }


def _service(address: str) -> Body:
    ports = (("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP"))
    return {
        "clusterIP": address,
        "selector": _LABELS,
        "ports": [{"name": name, "port": port, "protocol": kind} for name, port, kind in ports],
    }
