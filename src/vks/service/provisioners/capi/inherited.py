"""What the control plane of a cluster keeps that another provisioner made.

Tokens name their issuer and etcd's content its encryption key: kubeadm's own values would make
both worthless.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vks.resources import encryption
from vks.resources.managedcluster import InheritedSpec

Body = dict[str, Any]

_NAMES = ("localhost", "127.0.0.1")


def cluster_configuration(inherited: InheritedSpec) -> Body:
    """kubeadm's ClusterConfiguration; that of a cluster that inherits nothing is as it ever was."""
    more = [name for name in inherited.server_names if name not in _NAMES]
    api_server: Body = {"certSANs": [*_NAMES, *more]}
    arguments = dict(inherited.api_server_args)
    if inherited.encryption_secret is not None:
        arguments[encryption.FLAG] = encryption.FILE
        api_server["extraVolumes"] = [encryption.extra_volume()]
    if arguments:
        api_server["extraArgs"] = _arguments(arguments)
    manager = {"cloud-provider": "external", **inherited.controller_manager_args}
    configuration: Body = {
        "apiServer": api_server,
        "controllerManager": {"extraArgs": _arguments(manager)},
    }
    if inherited.scheduler_args:
        configuration["scheduler"] = {"extraArgs": _arguments(inherited.scheduler_args)}
    return configuration


def encryption_files(inherited: InheritedSpec | None) -> list[Body]:
    """The file that API servers read; its content never leaves the Secret before a node boots."""
    if inherited is None or inherited.encryption_secret is None:
        return []
    source = {"secret": {"name": inherited.encryption_secret, "key": encryption.FILE_NAME}}
    return [
        {
            "path": encryption.FILE,
            "owner": "root:root",
            "permissions": "0600",
            "contentFrom": source,
        }
    ]


def _arguments(arguments: Mapping[str, str]) -> list[Body]:
    return [{"name": name, "value": value} for name, value in sorted(arguments.items())]
