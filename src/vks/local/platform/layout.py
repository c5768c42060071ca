"""Where an instance keeps the platform's files, and where its programs listen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vks.local.instance import Instance

#: Every private address of a region (DESIGN, address plan): what the proxy lets through.
FABRIC_CIDR = "10.60.0.0/16"

#: What stands behind a server: a system container, nothing but what its user data would make of
#: it, or a record.
ServerKind = Literal["lxc", "hollow", "records"]

#: Ports on 127.0.0.1 inside the fabric; fixed, because every instance has its own namespace.
#: A region without a fabric prefers them and gets others where they are taken.
INNER_PORTS = {
    "etcd": 2379,
    "etcd-peer": 2380,
    "kube-controller-manager": 10257,
    "provider": 8081,
    "controllers": 8082,
    "legacy": 8083,
    "migration": 8084,
    **{
        f"{manager}-{purpose}": port + number
        for number, manager in enumerate(
            ("capi-core", "capi-kubeadm-bootstrap", "capi-kubeadm-control-plane")
        )
        for purpose, port in (("webhook", 9443), ("health", 9440), ("diagnostics", 8443))
    },
}

#: Where the agents of legacy clusters connect, on the fabric's address for services.
LEGACY_HUB_PORT = 7444


@dataclass(frozen=True)
class Layout:
    """Paths below the instance's home; computing them touches nothing."""

    instance: Instance
    servers: ServerKind = "lxc"
    #: Whether real servers may have hollow workers beside them.
    hollow_workers: bool = False

    @property
    def has_fabric(self) -> bool:
        """Whether the region has network namespaces; without, it lives on the host's loopback
        and needs no root."""
        return self.servers != "hollow"

    @property
    def has_hollow(self) -> bool:
        """Whether any servers are hollow: there may be thousands of machines then."""
        return self.servers == "hollow" or self.hollow_workers

    @property
    def netns(self) -> str:
        """The network namespace of the region's programs, empty for the host's."""
        return str(self.instance.fabric_netns_path) if self.has_fabric else ""

    def inner_ports(self) -> dict[str, int]:
        """Where the programs listen on 127.0.0.1 that nobody outside of the region talks to."""
        if self.has_fabric:
            return INNER_PORTS
        return self.instance.allocate("inner-ports.json", INNER_PORTS)

    @property
    def home(self) -> Path:
        return self.instance.home

    @property
    def plan(self) -> Path:
        return self.home / "plan.json"

    @property
    def pki(self) -> Path:
        return self.home / "pki"

    @property
    def etcd(self) -> Path:
        return self.home / "etcd"

    @property
    def cloud(self) -> Path:
        """The local Verda's state and seed."""
        return self.home / "cloud"

    @property
    def seed(self) -> Path:
        return self.cloud / "seed.yaml"

    @property
    def service_clouds_yaml(self) -> Path:
        """The service user's credential; not for people."""
        return self.home / "service-clouds.yaml"

    @property
    def service(self) -> Path:
        """Configuration of the REST API and of the service's controllers."""
        return self.home / "service.yaml"

    @property
    def passwords(self) -> Path:
        return self.home / "passwords.json"

    @property
    def versions(self) -> Path:
        """The Kubernetes versions that the region offers."""
        return self.home / "kubernetes.json"

    @property
    def clouds_yaml(self) -> Path:
        return self.home / "clouds.yaml"

    @property
    def management_kubeconfig(self) -> Path:
        """The operator's way into the management cluster."""
        return self.home / "management.kubeconfig"

    def component_kubeconfig(self, component: str) -> Path:
        return self.home / "kubeconfigs" / f"{component}.kubeconfig"
