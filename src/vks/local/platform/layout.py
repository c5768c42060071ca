"""Where an instance keeps the platform's files, and the ports inside its fabric."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vks.local.instance import Instance

#: Every private address of a region (DESIGN, address plan): what the proxy lets through.
FABRIC_CIDR = "10.60.0.0/16"

#: Ports on 127.0.0.1 inside the fabric; fixed, because every instance has its own namespace.
ETCD_PORT = 2379
ETCD_PEER_PORT = 2380
CONTROLLER_MANAGER_PORT = 10257
PROVIDER_PORT = 8081
CONTROLLERS_PORT = 8082


@dataclass(frozen=True)
class Layout:
    """Paths below the instance's home; computing them touches nothing."""

    instance: Instance

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
