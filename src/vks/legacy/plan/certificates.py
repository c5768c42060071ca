"""Which certificates a node needs: names as in an old RKE cluster, one authority for everything
but the front proxy. Servers answer to what was known when the node was made, and to no VIP."""

from __future__ import annotations

import msgspec

from vks.legacy.plan.facts import ClusterFacts

MASTERS = "system:masters"
API_SERVER = "kube-apiserver"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate. `names` are the DNS names and addresses of a server."""

    common_name: str
    organization: str = ""
    names: tuple[str, ...] = ()
    front_proxy: bool = False


def worker_certificates(node: str, address: str) -> dict[str, Wanted]:
    """By file name, without `.pem` and `-key.pem`."""
    return {
        "kubelet": Wanted(common_name=f"kubelet-{node}", names=(node, address, "127.0.0.1")),
        "kube-node": Wanted(common_name=f"system:node:{node}", organization="system:nodes"),
        "kube-proxy": Wanted(common_name="system:kube-proxy"),
    }


def control_plane_certificates(cluster: ClusterFacts, node: str, address: str) -> dict[str, Wanted]:
    own = ("localhost", "127.0.0.1", node, address)
    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    api = (*service, "kubernetes.default.svc.cluster.local", *own, cluster.api_address)
    return {
        **worker_certificates(node, address),
        "kube-etcd": Wanted(common_name="kube-etcd", names=own),
        "kube-etcd-client": Wanted(common_name="kube-etcd-client"),
        API_SERVER: Wanted(common_name="kube-apiserver", names=api),
        "kube-apiserver-kubelet": Wanted(common_name="kube-apiserver", organization=MASTERS),
        "kube-apiserver-proxy-client": Wanted(
            common_name="kube-apiserver-proxy-client", front_proxy=True
        ),
        "kube-controller-manager": Wanted(common_name="system:kube-controller-manager"),
        "kube-scheduler": Wanted(common_name="system:kube-scheduler"),
        "kube-admin": Wanted(common_name="kube-admin", organization=MASTERS),
    }
