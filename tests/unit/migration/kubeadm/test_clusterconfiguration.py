"""kubeadm is told what really runs."""

from __future__ import annotations

from vks.migration.kubeadm.clusterconfiguration import (
    ClusterFacts,
    cluster_configuration,
    kube_proxy_configuration,
    kubelet_configuration,
)
from vks.resources import encryption

RUNNING = {
    "kube-apiserver": {
        "--advertise-address": "10.0.0.1",
        "--anonymous-auth": "true",
        "--api-audiences": "vks-legacy",
        "--enable-admission-plugins": "NodeRestriction",
        "--encryption-provider-config": "/etc/vks-legacy/encryption.yaml",
        "--feature-gates": "A=true,B=false",
        "--service-account-issuer": "vks-legacy",
        "--tls-cert-file": "/etc/vks-legacy/ssl/kube-apiserver.pem",
    },
    "kube-controller-manager": {"--controllers": "*,bootstrapsigner", "--v": "2"},
    "kube-scheduler": {"--leader-elect": "true"},
}


def facts() -> ClusterFacts:
    return ClusterFacts(
        name="old",
        version="v1.36.3",
        endpoint="10.60.0.9:6443",
        pod_cidr="10.244.0.0/16",
        service_cidr="10.96.0.0/16",
        server_names=("10.60.0.9", "kubernetes"),
        running=RUNNING,
    )


def test_flags_that_kubeadm_would_not_set_carry_over_with_files_where_its_nodes_have_them() -> None:
    made = cluster_configuration(facts())
    arguments = {arg["name"]: arg["value"] for arg in made["apiServer"]["extraArgs"]}
    assert arguments == {
        "api-audiences": "vks-legacy",
        "enable-admission-plugins": "NodeRestriction",
        "encryption-provider-config": encryption.FILE,
        "feature-gates": "A=true,B=false",
        "service-account-issuer": "vks-legacy",
    }
    (volume,) = made["apiServer"]["extraVolumes"]
    assert volume["hostPath"] == volume["mountPath"] == encryption.DIRECTORY
    assert made["controllerManager"]["extraArgs"] == [{"name": "v", "value": "2"}]
    assert made["scheduler"]["extraArgs"] == []


def test_the_cluster_is_where_its_load_balancer_is() -> None:
    made = cluster_configuration(facts())
    assert made["controlPlaneEndpoint"] == "10.60.0.9:6443"
    assert made["networking"]["podSubnet"] == "10.244.0.0/16"
    assert made["apiServer"]["certSANs"] == ["10.60.0.9", "kubernetes"]


def test_a_kubelets_flags_become_its_configuration() -> None:
    made = kubelet_configuration(
        {
            "--anonymous-auth": "false",
            "--authentication-token-webhook": "true",
            "--cluster-dns": "10.96.0.10",
            "--fail-swap-on": "false",
            "--feature-gates": "A=true,B=false",
        }
    )
    assert made["authentication"]["anonymous"] == {"enabled": False}
    assert made["authentication"]["webhook"] == {"enabled": True}
    assert made["clusterDNS"] == ["10.96.0.10"]
    assert made["failSwapOn"] is False
    assert made["featureGates"] == {"A": True, "B": False}


def test_a_kube_proxys_too() -> None:
    flags = {"--proxy-mode": "iptables", "--conntrack-max-per-core": "0"}
    made = kube_proxy_configuration(flags)
    assert (made["mode"], made["conntrack"]) == ("iptables", {"maxPerCore": 0})
    assert "conntrack" not in kube_proxy_configuration({})
