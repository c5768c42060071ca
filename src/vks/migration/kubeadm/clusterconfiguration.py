"""ClusterConfiguration and KubeletConfiguration, from flags of what really runs.

Nodes that join read both from ConfigMaps (kubeadm, cmd/kubeadm/app/util/config/cluster.go and
phases/kubelet/config.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from vks.migration.plan.flags import ENCRYPTION_FLAG, carried_over
from vks.resources import encryption

Body = dict[str, Any]
Flags = Mapping[str, str]


class ClusterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`running` are the flags of one control plane's programs, which all of them agree on;
    `server_names` what the API servers' certificates are to be good for."""

    name: str
    version: str
    endpoint: str  # HOST:PORT
    pod_cidr: str
    service_cidr: str
    server_names: tuple[str, ...]
    running: Mapping[str, Flags]


def cluster_configuration(facts: ClusterFacts) -> Body:
    """kubeadm.k8s.io/v1beta4."""
    api = {"certSANs": list(facts.server_names), "extraArgs": extra_args("kube-apiserver", facts)}
    if ENCRYPTION_FLAG in facts.running.get("kube-apiserver", {}):
        api["extraVolumes"] = [encryption.extra_volume()]
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": facts.name,
        "kubernetesVersion": facts.version,
        "controlPlaneEndpoint": facts.endpoint,
        "certificatesDir": "/etc/kubernetes/pki",
        "imageRepository": "registry.k8s.io",
        "networking": {
            "dnsDomain": "cluster.local",
            "podSubnet": facts.pod_cidr,
            "serviceSubnet": facts.service_cidr,
        },
        "apiServer": api,
        "controllerManager": {"extraArgs": extra_args("kube-controller-manager", facts)},
        "scheduler": {"extraArgs": extra_args("kube-scheduler", facts)},
        "etcd": {"local": {"dataDir": "/var/lib/etcd"}},
        "dns": {},
        "proxy": {},
    }


def extra_args(component: str, facts: ClusterFacts) -> list[Body]:
    """What carries over, as kubeadm takes it; files are where kubeadm's nodes have them."""
    carried = carried_over(component, facts.running.get(component, {}))
    if ENCRYPTION_FLAG in carried:
        carried[ENCRYPTION_FLAG] = encryption.FILE
    return [{"name": name.removeprefix("--"), "value": value} for name, value in carried.items()]


def kubelet_configuration(flags: Flags) -> Body:
    """kubelet.config.k8s.io/v1beta1: what the flags say, and what kubeadm sets besides
    (cmd/kubeadm/app/componentconfigs/kubelet.go)."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": _true(flags, "--anonymous-auth")},
            "webhook": {"enabled": _true(flags, "--authentication-token-webhook")},
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
        },
        "authorization": {"mode": flags.get("--authorization-mode", "Webhook")},
        "cgroupDriver": "systemd",
        "clusterDNS": _list(flags.get("--cluster-dns", "")),
        "clusterDomain": flags.get("--cluster-domain", "cluster.local"),
        "containerRuntimeEndpoint": flags.get("--container-runtime-endpoint", ""),
        "failSwapOn": flags.get("--fail-swap-on", "true") == "true",
        "featureGates": _gates(flags.get("--feature-gates", "")),
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "resolvConf": flags.get("--resolv-conf", "/etc/resolv.conf"),
        "rotateCertificates": True,
        "staticPodPath": "/etc/kubernetes/manifests",
    }


def kube_proxy_configuration(flags: Flags) -> Body:
    """kubeproxy.config.k8s.io/v1alpha1."""
    document: Body = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"},
        "clusterCIDR": flags.get("--cluster-cidr", ""),
        "mode": flags.get("--proxy-mode", ""),
    }
    per_core = flags.get("--conntrack-max-per-core")
    if per_core is not None:
        document["conntrack"] = {"maxPerCore": int(per_core)}
    return document


def _true(flags: Flags, name: str) -> bool:
    return flags.get(name, "false") in ("true", "")


def _list(text: str) -> list[str]:
    return [item for item in text.split(",") if item]


def _gates(text: str) -> dict[str, bool]:
    pairs: Iterable[tuple[str, str, str]] = (item.partition("=") for item in _list(text))
    return {name: value == "true" for name, _, value in pairs}
