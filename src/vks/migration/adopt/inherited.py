"""Pure: what the cluster's new control plane keeps of the old one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vks.migration.adopt.secrets import encryption_name
from vks.resources import encryption
from vks.resources.fields import Endpoint
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode

_COMPONENTS = {
    "apiServerArgs": "kube-apiserver",
    "controllerManagerArgs": "kube-controller-manager",
    "schedulerArgs": "kube-scheduler",
}


def inherited(
    cluster: LegacyCluster,
    nodes: Iterable[LegacyNode],
    arguments: Mapping[str, Mapping[str, str]],
    server_names: Iterable[str],
    endpoint: Endpoint,
) -> dict[str, Any]:
    """`spec.inherited` of the ManagedCluster, with everything on hold. `arguments` and
    `server_names` are the plan's."""
    carried = {
        field: {
            name.removeprefix("--"): value
            for name, value in sorted(arguments.get(component, {}).items())
        }
        for field, component in _COMPONENTS.items()
    }
    # Names a file on the nodes: the file comes from a Secret, and its path is said where it is.
    encrypted = carried["apiServerArgs"].pop(encryption.FLAG, None) is not None
    body: dict[str, Any] = {
        **{field: values for field, values in carried.items() if values},
        "serverNames": kept_names(nodes, server_names, endpoint),
        "onHold": "Cluster",
    }
    if encrypted:
        body["encryptionSecret"] = encryption_name(cluster.metadata.name)
    return body


def kept_names(
    nodes: Iterable[LegacyNode], server_names: Iterable[str], endpoint: Endpoint
) -> list[str]:
    """Without the nodes' own: they go with the nodes. kubeadm adds the service's names itself."""
    gone = {name for node in nodes for name in (node.metadata.name, node.status.address)}
    kept = {
        name
        for name in server_names
        if name not in gone and " " not in name and not name.startswith("kubernetes")
    }
    return sorted(kept | {endpoint.host})
