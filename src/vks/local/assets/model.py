"""What the rest of the local region gets to know about the upstream programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vks.local.assets.versions import Versions


@dataclass(frozen=True)
class Release:
    """What nodes of one Kubernetes release consist of, ready to be put into a node image."""

    #: With its leading `v`.
    version: str
    #: Key of the programs; the same key means the same programs.
    digest: str
    #: kube-apiserver, kube-controller-manager, kube-scheduler, kube-proxy, kubeadm, kubelet,
    #: kubectl, etcd, etcdctl, etcdutl and coredns.
    bin: Path
    #: Container images of the release, as its `kubeadm config images list` prints them.
    container_images: tuple[str, ...]


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

    @property
    def release(self) -> Release:
        """The Kubernetes release that the region itself runs on."""
        return Release(self.versions.kubernetes, self.digest, self.bin, self.container_images)
