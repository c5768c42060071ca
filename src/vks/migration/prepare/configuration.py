"""kubeadm's objects in the cluster: ConfigMaps, rights, kube-proxy. CoreDNS and the pod network
keep their owner."""

from __future__ import annotations

import base64
from typing import Any

import yaml

from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.kube.objects import Resource
from vks.migration.kubeadm.clusterconfiguration import (
    ClusterFacts,
    cluster_configuration,
    kube_proxy_configuration,
    kubelet_configuration,
)
from vks.migration.kubeadm.kubeproxy import kube_proxy
from vks.migration.kubeadm.roles import rights
from vks.migration.prepare.loadbalancing import balancer_of
from vks.migration.prepare.nodes import LEGACY_LABEL
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.legacycluster import authority_name
from vks.runtime.result import Waiting
from vks.verda.apibalancer import API_PORT

Body = dict[str, Any]

#: By which what was made here is known again, and nothing else is taken away.
MADE_LABEL = "app.kubernetes.io/managed-by"
_RBAC = "rbac.authorization.k8s.io"
_KINDS = {
    "ServiceAccount": Resource("", "v1", "ServiceAccount", "serviceaccounts"),
    "ConfigMap": Resource("", "v1", "ConfigMap", "configmaps"),
    "DaemonSet": Resource("apps", "v1", "DaemonSet", "daemonsets"),
    "Role": Resource(_RBAC, "v1", "Role", "roles"),
    "RoleBinding": Resource(_RBAC, "v1", "RoleBinding", "rolebindings"),
    "ClusterRole": Resource(_RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False),
    "ClusterRoleBinding": Resource(
        _RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
    ),
}


class Configuration:
    name = "Configuration"

    async def do(self, scope: Scope) -> None:
        facts = await _facts(scope)
        authority = await scope.secret(authority_name(scope.name))
        workload = await scope.workload()
        for body in objects(facts, authority["tls.crt"]):
            await workload.apply(_KINDS[body["kind"]], _marked(body), field_manager=FIELD_MANAGER)

    async def undo(self, scope: Scope) -> None:
        """By kind and label: what was made is found without knowing how."""
        workload = await scope.workload()
        for resource in reversed(_KINDS.values()):
            made = await workload.list(resource, label_selector=f"{MADE_LABEL}={FIELD_MANAGER}")
            for item in made.items:
                await _delete(workload, resource, item["metadata"])


async def _facts(scope: Scope) -> ClusterFacts:
    """Raises Waiting while nobody reports what runs."""
    planes = scope.control_planes
    running = next((n.status.running for n in planes if n.status.running.get("kubelet")), None)
    if running is None:
        raise Waiting("FlagsUnknown", "no control plane reports what it runs", 1.0)
    vip = (await balancer_of(scope)).vip_address
    spec = scope.cluster.spec
    names = scope.migration.status.plan.server_names if scope.migration.status.plan else ()
    return ClusterFacts(
        name=scope.name,
        version=spec.version,
        endpoint=f"{vip}:{API_PORT}",
        pod_cidr=spec.network.pod_cidr,
        service_cidr=spec.network.service_cidr,
        server_names=tuple(sorted({vip, *(name for name in names if " " not in name)})),
        running=running,
    )


def objects(facts: ClusterFacts, authority: bytes) -> list[Body]:
    """`authority` is the cluster's certificate, PEM. In the order in which they are applied."""
    kubelet = kubelet_configuration(facts.running.get("kubelet", {}))
    proxy = kube_proxy_configuration(facts.running.get("kube-proxy", {}))
    image = f"registry.k8s.io/kube-proxy:{facts.version}"
    return [
        *rights(),
        _config_map("kubeadm-config", {"ClusterConfiguration": cluster_configuration(facts)}),
        _config_map("kubelet-config", {"kubelet": kubelet}),
        *kube_proxy(image, facts.endpoint, proxy, LEGACY_LABEL),
        _cluster_info(facts.endpoint, authority),
    ]


def _config_map(name: str, documents: Body, namespace: str = "kube-system") -> Body:
    data = {key: yaml.safe_dump(value, sort_keys=True) for key, value in documents.items()}
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def _cluster_info(endpoint: str, authority: bytes) -> Body:
    """Where the cluster is and by which authority it is known: a kubeconfig without a user."""
    access = {
        "certificate-authority-data": base64.b64encode(authority).decode(),
        "server": f"https://{endpoint}",
    }
    kubeconfig: Body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "", "cluster": access}],
        "contexts": None,
        "current-context": "",
        "preferences": {},
        "users": None,
    }
    return _config_map("cluster-info", {"kubeconfig": kubeconfig}, "kube-public")


def _marked(body: Body) -> Body:
    labels = body["metadata"].get("labels", {}) | {MADE_LABEL: FIELD_MANAGER}
    return {**body, "metadata": {**body["metadata"], "labels": labels}}


async def _delete(workload: Client, resource: Resource, meta: Body) -> None:
    try:
        await workload.delete(resource, meta["name"], meta.get("namespace", ""), uid=meta["uid"])
    except NotFound:
        return
