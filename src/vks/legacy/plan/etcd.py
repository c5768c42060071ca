"""etcd: a plain service whose member is called `etcd-HOST`."""

from __future__ import annotations

from vks.legacy.plan.facts import NodeFacts
from vks.legacy.plan.model import Endpoint, Probe, Service
from vks.legacy.plan.units import BIN, CA, certificate, private_key, service
from vks.resources.legacynode import EtcdMember

CLIENT_PORT, PEER_PORT = 2379, 2380
URL = f"https://127.0.0.1:{CLIENT_PORT}"
METRICS = "http://127.0.0.1:2381"


def member_name(node: str) -> str:
    return f"etcd-{node}"


def peer_url(address: str) -> str:
    return f"https://{address}:{PEER_PORT}"


def client() -> dict[str, str]:
    """The paths by which something on the node talks to its etcd."""
    return {
        "ca": CA,
        "cert": certificate("kube-etcd-client"),
        "key": private_key("kube-etcd-client"),
    }


def etcd_endpoint(address: str = "127.0.0.1") -> Endpoint:
    """The node's own etcd, or the member at that address."""
    return Endpoint(url=f"https://{address}:{CLIENT_PORT}", **client())


def guest_endpoint(address: str) -> str:
    """The name under which a control plane's agent asks that member."""
    return f"etcd@{address}"


def etcd_probe() -> Probe:
    return Probe(name="etcd", url=f"{URL}/health", **client())


def etcd_service(node: NodeFacts, member: EtcdMember) -> Service:
    """`initial-cluster` is read at the member's first start only, so it stays what it was."""
    tls = [
        f"--{prefix}{flag}"
        for prefix in ("", "peer-")
        for flag in (
            "client-cert-auth",
            f"trusted-ca-file={CA}",
            f"cert-file={certificate('kube-etcd')}",
            f"key-file={private_key('kube-etcd')}",
        )
    ]
    flags = [
        f"--name={node.preparation.etcd_name or member_name(node.name)}",
        "--data-dir=/var/lib/vks-legacy/etcd",
        f"--listen-client-urls=https://{node.address}:{CLIENT_PORT},{URL}",
        f"--advertise-client-urls=https://{node.address}:{CLIENT_PORT}",
        f"--listen-peer-urls={peer_url(node.address)}",
        f"--initial-advertise-peer-urls={peer_url(node.address)}",
        f"--initial-cluster={member.initial_cluster}",
        f"--initial-cluster-state={member.state}",
        *tls,
    ]
    if node.preparation.etcd_name:
        # Whoever stands for it among pods can ask for its health without a certificate.
        flags.append(f"--listen-metrics-urls={METRICS}")
    files = [CA, certificate("kube-etcd"), private_key("kube-etcd")]
    return service("etcd", f"{BIN}/etcd", flags, files)
