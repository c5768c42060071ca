"""The configuration of the service's processes: the regions that they serve.

One YAML file, read at start by `vks.service.controllers` (which serves one region per process)
and by `vks.service.api` (which serves all of them). `docs/reference/config.md` shows it whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from vks.resources.fields import CloudName
from vks.resources.managedcluster import BootstrapSpec

Positive = Annotated[int, msgspec.Meta(ge=1)]


class _Strict(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """A misspelt key is an error, not a default."""


class CloudAccess(_Strict, frozen=True, kw_only=True):
    """The service user of VKS in the region's cloud, as an entry of a `clouds.yaml`.

    The user needs a role in every project that uses VKS. The entry holds a user name and a
    password: an application credential is bound to one project and cannot be scoped to others.
    """

    clouds_yaml: str
    cloud: str


class Limits(_Strict, frozen=True, kw_only=True):
    """Bounds of one request, beside the cloud's quota.

    A request for a cluster with its pools is kept in an annotation until the pools are made, and
    an object's annotations have 262,144 bytes at most.
    """

    max_node_pools: Positive = 20
    max_pool_replicas: Positive = 200
    max_body_bytes: Positive = 196_608


class RegionConfig(_Strict, frozen=True, kw_only=True):
    """One region: its management cluster, its cloud, and how its servers are bootstrapped.

    `bootstrap` is copied into each cluster when it is made, so that editing it changes new
    clusters only and never rolls a machine. `proxy_url` goes into the kubeconfigs handed out,
    for regions whose addresses users reach through an HTTP CONNECT proxy. `legacy` says that the
    legacy provisioner runs there, for operators to choose.
    """

    name: CloudName
    zones: Annotated[tuple[CloudName, ...], msgspec.Meta(min_length=1, max_length=100)]
    kubeconfig: str
    identity_url: str
    cloud: CloudAccess
    proxy_url: str | None = None
    bootstrap: BootstrapSpec = BootstrapSpec()
    dns_nameservers: tuple[str, ...] = ()
    legacy: bool = False


class Retention(_Strict, frozen=True, kw_only=True):
    """How long finished operations are kept: the last `count` per cluster, at most `days`."""

    count: Positive = 50
    days: Positive = 30


class Config(_Strict, frozen=True, kw_only=True):
    """The whole file. `operator_roles` are the Keystone roles that see provisioners."""

    regions: Annotated[tuple[RegionConfig, ...], msgspec.Meta(min_length=1)]
    limits: Limits = Limits()
    operation_retention: Retention = Retention()
    operator_roles: tuple[str, ...] = ("vks-operator",)

    def region(self, name: str) -> RegionConfig:
        """The region of that name. Raises ConfigError."""
        for region in self.regions:
            if region.name == name:
                return region
        raise ConfigError(f"the configuration has no region {name!r}")


class ConfigError(ValueError):
    """The configuration file is missing, malformed or incomplete."""


def load(path: Path) -> Config:
    """The configuration in `path`. Raises ConfigError, which names the field."""
    try:
        config = msgspec.yaml.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
    names = [region.name for region in config.regions]
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}: two regions have the same name")
    return config
