"""What a plan is made from."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

import msgspec

from vks.resources.legacynode import EtcdMember, NodePreparation
from vks.resources.managedcluster import KubeProxySpec

#: In the order of the fields of Images.
_REPOSITORIES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "coredns",
)


class ImageMissingError(ValueError):
    """The node's image does not bring a component's container image."""


class Images(msgspec.Struct, frozen=True):
    """The container images of the cluster's components that a node brought."""

    etcd: str
    apiserver: str
    controller_manager: str
    scheduler: str
    proxy: str
    coredns: str

    @classmethod
    def among(cls, names: Iterable[str]) -> Images:
        """Picked by repository. kube-proxy is that of the API server's version: of add-ons a node
        brings its neighbour's too, for the time of an upgrade. Raises ImageMissingError."""
        known = sorted(names)
        found = {name.rpartition(":")[0].rpartition("/")[2]: name for name in known}
        proxy = found.get("kube-apiserver", "").replace("/kube-apiserver", "/kube-proxy")
        if proxy in known:
            found["kube-proxy"] = proxy
        try:
            return cls(*(found[component] for component in _REPOSITORIES))
        except KeyError as error:
            raise ImageMissingError(f"the node has no image of {error.args[0]}") from None

    @property
    def version(self) -> str:
        """The Kubernetes version, for example v1.36.3."""
        return re.split(r"[:@]", self.apiserver)[-1]


class KeyPair(msgspec.Struct, frozen=True):
    """PEM text. The repr of a key pair shows no key."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        return "KeyPair(…)"


class ClusterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same on every node. `api_servers` are HOST:PORT of what nodes may use; keys are
    on control planes only. `guests` are addresses of members that somebody else made."""

    name: str
    region: str
    pod_cidr: str
    service_cidr: str
    kube_proxy: KubeProxySpec
    api_servers: tuple[str, ...]
    authority: KeyPair
    requestheader_authority: KeyPair
    service_account_key: str
    encryption_key: str
    guests: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ClusterFacts({self.name})"

    @property
    def dns_address(self) -> str:
        """The tenth address of the service range, as everywhere."""
        return str(ipaddress.ip_network(self.service_cidr)[10])

    @property
    def api_address(self) -> str:
        """The address of the service `kubernetes`."""
        return str(ipaddress.ip_network(self.service_cidr)[1])


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`certificates` by name, see `vks.legacy.plan.certificates`; `etcd` None on workers. `sponsor`
    is the address of a member that lets this one in, where no control plane of ours can."""

    name: str
    address: str
    zone: str
    provider_id: str
    instance_type: str
    images: Images
    certificates: Mapping[str, KeyPair]
    etcd: EtcdMember | None = None
    sponsor: str | None = None
    preparation: NodePreparation = NodePreparation()
