"""Upstream's cluster-autoscaler for one cluster, as objects of the management cluster.

It runs beside the MachineDeployments that it scales ("autoscaler running in management cluster
using service account credentials, with separate workload cluster" in its README), so that no
credential for the management cluster is handed to a tenant; to the workload cluster it goes with
the kubeconfig that Cluster API keeps in a Secret.
"""

from __future__ import annotations

from typing import Any

import yaml

from vks.resources.managedcluster import ManagedCluster
from vks.service.names import bounded
from vks.service.provisioners.capi import userscript
from vks.service.provisioners.capi.manifest import labels_of

Body = dict[str, Any]

_KUBECONFIG = "/etc/workload"
_READ = ["get", "list", "watch"]


def autoscaler_manifest(cluster: ManagedCluster) -> str:
    """YAML documents for `kubectl apply` against the management cluster. They hold no secret."""
    name = bounded(f"{cluster.metadata.name}-autoscaler")
    meta = {
        "name": name,
        "namespace": cluster.metadata.namespace,
        "labels": labels_of(cluster),
    }
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": cluster.metadata.namespace}
    objects: list[Body] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": _rules()},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [subject],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": _deployment(cluster, name),
        },
    ]
    return yaml.safe_dump_all(objects, sort_keys=False)


def _rules() -> list[Body]:
    """What its provider does: it reads node groups and machines, marks machines for deletion, and
    writes sizes. It changes nothing else."""
    groups = ["machinedeployments", "machinesets", "machinepools", "machines"]
    return [
        {"apiGroups": ["cluster.x-k8s.io"], "resources": groups, "verbs": _READ},
        {"apiGroups": ["cluster.x-k8s.io"], "resources": ["machines"], "verbs": ["update"]},
        {
            "apiGroups": ["cluster.x-k8s.io"],
            "resources": ["machinedeployments/scale"],
            "verbs": ["get", "update", "patch"],
        },
        {
            "apiGroups": ["infrastructure.cluster.x-k8s.io"],
            "resources": ["verdamachinetemplates"],
            "verbs": _READ,
        },
    ]


def _deployment(cluster: ManagedCluster, name: str) -> Body:
    # Releases go with those of Kubernetes, minor by minor.
    major, minor, _ = cluster.spec.version.split(".")
    discovery = f"namespace={cluster.metadata.namespace},clusterName={cluster.metadata.name}"
    container = {
        "name": "cluster-autoscaler",
        "image": f"registry.k8s.io/autoscaling/cluster-autoscaler:{major}.{minor}.0",
        "command": ["/cluster-autoscaler"],
        "args": [
            "--cloud-provider=clusterapi",
            f"--kubeconfig={_KUBECONFIG}/value",
            "--clusterapi-cloud-config-authoritative",
            f"--node-group-auto-discovery=clusterapi:{discovery}",
            "--balance-similar-node-groups",
            f"--startup-taint={userscript.PENDING.key}",
        ],
        "volumeMounts": [{"name": "workload", "mountPath": _KUBECONFIG, "readOnly": True}],
    }
    secret = {"secretName": f"{cluster.metadata.name}-kubeconfig"}
    return {
        "replicas": 1,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "serviceAccountName": name,
                "containers": [container],
                "volumes": [{"name": "workload", "secret": secret}],
            },
        },
    }
