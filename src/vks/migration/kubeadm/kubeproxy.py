"""kube-proxy as kubeadm runs it, on nodes of kubeadm alone: legacy nodes have a service."""

from __future__ import annotations

from typing import Any

import yaml

Body = dict[str, Any]

_NAME, _NAMESPACE = "kube-proxy", "kube-system"
_LABELS = {"k8s-app": "kube-proxy"}
_META = {"name": _NAME, "namespace": _NAMESPACE, "labels": _LABELS}
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


def kube_proxy(image: str, endpoint: str, configuration: Body, legacy_label: str) -> list[Body]:
    """`endpoint` is HOST:PORT; nodes with `legacy_label` get no pod."""
    data = {
        "config.conf": yaml.safe_dump(configuration, sort_keys=True),
        "kubeconfig.conf": yaml.safe_dump(_kubeconfig(endpoint), sort_keys=True),
    }
    pod = {"metadata": {"labels": _LABELS}, "spec": _pod(image, legacy_label)}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _META},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _META, "data": data},
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": _META,
            "spec": {
                "selector": {"matchLabels": _LABELS},
                "updateStrategy": {"type": "RollingUpdate"},
                "template": pod,
            },
        },
    ]


def _kubeconfig(endpoint: str) -> Body:
    """With the pod's own service account."""
    access = {"server": f"https://{endpoint}", "certificate-authority": f"{_TOKEN}/ca.crt"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default", "cluster": access}],
        "users": [{"name": "default", "user": {"tokenFile": f"{_TOKEN}/token"}}],
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
        "current-context": "default",
    }


def _pod(image: str, legacy_label: str) -> Body:
    elsewhere = {"matchExpressions": [{"key": legacy_label, "operator": "DoesNotExist"}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [elsewhere]}}  # fmt: skip
    mounts = {"kube-proxy": "/var/lib/kube-proxy", "xtables-lock": "/run/xtables.lock",
              "lib-modules": "/lib/modules"}  # fmt: skip
    node = {"fieldRef": {"fieldPath": "spec.nodeName"}}
    return {
        "affinity": {"nodeAffinity": required},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": _NAME,
        "tolerations": [{"operator": "Exists"}],
        "containers": [
            {
                "name": _NAME,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": [
                    "/usr/local/bin/kube-proxy",
                    "--config=/var/lib/kube-proxy/config.conf",
                    "--hostname-override=$(NODE_NAME)",
                ],
                "env": [{"name": "NODE_NAME", "valueFrom": node}],
                "securityContext": {"privileged": True},
                "volumeMounts": [
                    {"name": name, "mountPath": path} | _read_only(name)
                    for name, path in mounts.items()
                ],
            }
        ],
        "volumes": [
            {"name": "kube-proxy", "configMap": {"name": _NAME}},
            {
                "name": "xtables-lock",
                "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"},
            },
            {"name": "lib-modules", "hostPath": {"path": "/lib/modules"}},
        ],
    }


def _read_only(name: str) -> Body:
    return {"readOnly": True} if name == "lib-modules" else {}
