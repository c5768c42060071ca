"""What every node runs: its way to the API, kubelet and kube-proxy."""

from __future__ import annotations

import json

from vks.legacy.plan.facts import ClusterFacts, NodeFacts
from vks.legacy.plan.kubeconfigs import kubeconfig
from vks.legacy.plan.model import Endpoint, File, Plan, Probe, Service
from vks.legacy.plan.units import (
    AGENT,
    BIN,
    CA,
    CONFIG,
    PROXY,
    certificate,
    kubeconfig_path,
    private_key,
    service,
)
from vks.resources.legacycluster import API_PROXY_PORT

_PROXY_CONFIG = f"{CONFIG}/api-proxy.json"
#: Control planes run what tolerates both, as in an RKE cluster.
CONTROL_PLANE_TAINTS = (
    "node-role.kubernetes.io/controlplane=true:NoSchedule",
    "node-role.kubernetes.io/etcd=true:NoExecute",
)


def worker_files(cluster: ClusterFacts, node: NodeFacts) -> list[File]:
    """The proxy looks at its list itself, so that a change of it restarts nothing."""
    proxy = {"listen": API_PROXY_PORT, "backends": list(cluster.api_servers)}
    credentials = [
        File(
            path=kubeconfig_path(service_name),
            content=kubeconfig(
                cluster.name, PROXY, cluster.authority.certificate, node.certificates[user]
            ),
            mode=0o600,
        )
        for service_name, user in (("kubelet", "kube-node"), ("kube-proxy", "kube-proxy"))
    ]
    return [File(path=_PROXY_CONFIG, content=json.dumps(proxy) + "\n"), *credentials]


def api_servers(plan: Plan) -> tuple[str, ...]:
    """What the node of that plan uses, as HOST:PORT."""
    files = (file for file in plan.files if file.path == _PROXY_CONFIG)
    return tuple(name for file in files for name in json.loads(file.content)["backends"])


def worker_services(cluster: ClusterFacts, node: NodeFacts) -> list[Service]:
    return [_api_proxy(), _kubelet(cluster, node), _kube_proxy(cluster, node)]


def worker_probes() -> list[Probe]:
    return [
        Probe(name="kubelet", url="http://127.0.0.1:10248/healthz"),
        Probe(name="kube-proxy", url="http://127.0.0.1:10256/healthz"),
    ]


def node_endpoint(node: NodeFacts) -> Endpoint:
    """Asked as the node itself, by the way that the node uses."""
    return Endpoint(
        url=f"{PROXY}/api/v1/nodes/{node.name}",
        ca=CA,
        cert=certificate("kube-node"),
        key=private_key("kube-node"),
    )


def _api_proxy() -> Service:
    return service("api-proxy", f"/usr/bin/python3 {AGENT} proxy {_PROXY_CONFIG}")


def _kubelet(cluster: ClusterFacts, node: NodeFacts) -> Service:
    """What is peculiar to the machine (cgroups, image collection) the node image has put into the
    kubelet's directory of drop-ins, whoever starts it."""
    config = kubeconfig_path("kubelet")
    labels = {
        "topology.kubernetes.io/region": cluster.region,
        "topology.kubernetes.io/zone": node.zone,
        "node.kubernetes.io/instance-type": node.instance_type,
    }
    flags = [
        f"--kubeconfig={config}",
        "--config-dir=/etc/kubernetes/kubelet.conf.d",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
        f"--provider-id={node.provider_id}",
        f"--node-labels={','.join(f'{name}={value}' for name, value in labels.items())}",
        f"--cluster-dns={cluster.dns_address}",
        "--cluster-domain=cluster.local",
        "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
        # Without a configuration file a kubelet has the defaults of old.
        "--read-only-port=0",
        "--anonymous-auth=false",
        "--authentication-token-webhook=true",
        "--authorization-mode=Webhook",
        f"--client-ca-file={CA}",
        f"--tls-cert-file={certificate('kubelet')}",
        f"--tls-private-key-file={private_key('kubelet')}",
        "--fail-swap-on=false",
        "--resolv-conf=/etc/resolv.conf",
    ]
    if node.etcd is not None:
        flags.append(f"--register-with-taints={','.join(CONTROL_PLANE_TAINTS)}")
    files = [config, CA, certificate("kubelet"), private_key("kubelet")]
    return service("kubelet", "/usr/bin/kubelet", flags, files)


def _kube_proxy(cluster: ClusterFacts, node: NodeFacts) -> Service:
    config = kubeconfig_path("kube-proxy")
    flags = [
        f"--kubeconfig={config}",
        f"--hostname-override={node.name}",
        f"--cluster-cidr={cluster.pod_cidr}",
        f"--proxy-mode={cluster.kube_proxy.mode}",
        "--healthz-bind-address=127.0.0.1:10256",
    ]
    if cluster.kube_proxy.conntrack_max_per_core is not None:
        flags.append(f"--conntrack-max-per-core={cluster.kube_proxy.conntrack_max_per_core}")
    return service("kube-proxy", f"{BIN}/kube-proxy", flags, [config])
