"""Flags of the control plane: which are a node's own, which kubeadm sets itself, which carry over.

Cluster API rewrites kubeadm's ClusterConfiguration from the control plane's spec at every rollout
(KubeadmControlPlane, `UpdateClusterConfiguration`): what is not in that spec is lost with the first
node that joins.
"""

from __future__ import annotations

from collections.abc import Iterable

from vks.migration.plan.facts import Flags, NodeFacts
from vks.resources import encryption

#: Whatever differs between nodes by nature.
OWN = {
    "kube-apiserver": frozenset({"--advertise-address"}),
    "etcd": frozenset(
        {
            "--name",
            "--listen-client-urls",
            "--advertise-client-urls",
            "--listen-peer-urls",
            "--initial-advertise-peer-urls",
            "--initial-cluster",
            "--initial-cluster-state",
        }
    ),
}

#: What kubeadm decides itself, from its own layout and from the cluster's networks
#: (cmd/kubeadm/app/phases/controlplane/manifests.go).
_KUBEADMS = {
    "kube-apiserver": frozenset(
        {
            "--advertise-address", "--allow-privileged", "--client-ca-file",
            "--enable-bootstrap-token-auth", "--etcd-cafile", "--etcd-certfile", "--etcd-keyfile",
            "--etcd-servers", "--kubelet-client-certificate", "--kubelet-client-key",
            "--kubelet-preferred-address-types", "--proxy-client-cert-file",
            "--proxy-client-key-file", "--requestheader-allowed-names",
            "--requestheader-client-ca-file", "--requestheader-extra-headers-prefix",
            "--requestheader-group-headers", "--requestheader-username-headers", "--secure-port",
            "--service-account-key-file", "--service-account-signing-key-file",
            "--service-cluster-ip-range", "--tls-cert-file", "--tls-private-key-file",
            # Joining nodes read `cluster-info` without credentials.
            "--anonymous-auth",
        }
    ),
    "kube-controller-manager": frozenset(
        {
            "--allocate-node-cidrs", "--authentication-kubeconfig", "--authorization-kubeconfig",
            "--bind-address", "--client-ca-file", "--cluster-cidr", "--cluster-signing-cert-file",
            "--cluster-signing-key-file", "--controllers", "--kubeconfig", "--leader-elect",
            "--requestheader-client-ca-file", "--root-ca-file",
            "--service-account-private-key-file", "--service-cluster-ip-range",
            "--use-service-account-credentials",
        }
    ),
    "kube-scheduler": frozenset(
        {
            "--authentication-kubeconfig", "--authorization-kubeconfig", "--bind-address",
            "--kubeconfig", "--leader-elect",
        }
    ),
}  # fmt: skip

#: Whose content is known, and put where nodes of kubeadm have it.
ENCRYPTION_FLAG = f"--{encryption.FLAG}"

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def drift(component: str, nodes: Iterable[NodeFacts]) -> list[str]:
    """The flags in which nodes that run it differ and should not, with each node's value."""
    own = OWN.get(component, frozenset())
    running = {n.name: n.running[component] for n in nodes if component in n.running}
    names = {name for flags in running.values() for name in flags} - own
    found = []
    for name in sorted(names):
        values = {node: flags.get(name) for node, flags in running.items()}
        if len(set(values.values())) > 1:
            shown = ", ".join(
                f"{node}: {'(unset)' if value is None else value or '(set)'}"
                for node, value in sorted(values.items())
            )
            found.append(f"{component} {name} ({shown})")
    return found


def carried_over(component: str, flags: Flags) -> dict[str, str]:
    """The flags that the new control plane must be given, because kubeadm would not set them."""
    return {
        name: value for name, value in sorted(flags.items()) if name not in _KUBEADMS[component]
    }


def unknown_files(component: str, flags: Flags) -> list[str]:
    """The flags that carry over and name a file or directory that new nodes would not have."""
    carried = carried_over(component, flags)
    return [
        f"{name}={value}"
        for name, value in carried.items()
        if value.startswith("/") and name != ENCRYPTION_FLAG
    ]
