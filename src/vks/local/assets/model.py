"""What the rest of the local region gets to know about the upstream programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vks.local.assets.versions import Versions


@dataclass(frozen=True)
class Assets:
    """Upstream programs of the pinned versions, ready to run."""

    #: Key of the pinned modules and build flags; the same key means the same programs.
    digest: str
    versions: Versions
    #: etcd, etcdctl, etcdutl, kube-apiserver, kube-controller-manager, kube-scheduler,
    #: kube-proxy, kubeadm, kubelet, kubectl, capi-core, capi-kubeadm-bootstrap,
    #: capi-kubeadm-control-plane, clusterctl, coredns.
    bin: Path
    #: The `config` trees and `metadata.yaml` of Cluster API as in its module: `core/config`,
    #: `bootstrap/kubeadm/config`, `controlplane/kubeadm/config`.
    cluster_api_module: Path
    #: Rendered from them, per provider (`core`, `kubeadm-bootstrap`, `kubeadm-control-plane`):
    #: `NAME/crds.yaml` and `NAME/webhooks.yaml`.
    manifests: Path
    #: Container images of this Kubernetes version, as `kubeadm config images list` prints them.
    container_images: tuple[str, ...]
