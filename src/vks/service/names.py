"""Labels, names and field managers that the service's controllers share."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from vks.resources.managedcluster import CLUSTER_LABEL as CLUSTER_LABEL
from vks.resources.nodepool import POOL_LABEL as POOL_LABEL

#: Machines append "-" and five characters to a MachineSet, which appends as many to its
#: MachineDeployment; a host name has at most 63.
MAX_MACHINE_OWNER_NAME = 51


def digest(value: Any, length: int = 10) -> str:
    """A short stable hash of plain data: the same content, in any key order, the same text."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:length]


def bounded(name: str, length: int = MAX_MACHINE_OWNER_NAME) -> str:
    """`name`, cut to `length` with a hash of the whole when it is longer."""
    if len(name) <= length:
        return name
    return f"{name[: length - 7].rstrip('-')}-{digest(name, 6)}"


def control_plane_name(cluster: str) -> str:
    return bounded(f"{cluster}-cp")


def machine_deployment_name(cluster: str, pool: str, zone: str) -> str:
    """One MachineDeployment per zone of a pool."""
    return bounded(f"{cluster}-{pool}-{zone.lower()}")


def addons_name(cluster: str) -> str:
    return bounded(f"{cluster}-addons")
