"""Pure: what a Node of a workload cluster must be told about the server under it."""

from __future__ import annotations

from typing import Any

from vks.resources.core import Node
from vks.resources.fields import MachineAddress

UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
REGION_LABEL = "topology.kubernetes.io/region"
ZONE_LABEL = "topology.kubernetes.io/zone"
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"

_SCHEME = "verda:///"


def place_of(provider_id: str) -> tuple[str, str] | None:
    """Region and zone out of `verda:///REGION/ZONE/SERVER-ID`; None for anything else."""
    parts = provider_id.removeprefix(_SCHEME).split("/")
    if not provider_id.startswith(_SCHEME) or len(parts) != 3 or not all(parts):
        return None
    return parts[0], parts[1]


def labels_of(provider_id: str, instance_type: str) -> dict[str, str]:
    """The labels by which schedulers and people find the node. Empty for a foreign node."""
    place = place_of(provider_id)
    if place is None:
        return {}
    return {
        REGION_LABEL: place[0],
        ZONE_LABEL: place[1],
        INSTANCE_TYPE_LABEL: instance_type,
    }


def addresses_patch(node: Node, addresses: tuple[MachineAddress, ...]) -> dict[str, Any] | None:
    """A merge patch of the status, or None when the node has these addresses."""
    if set(addresses) == set(node.status.addresses):
        return None
    listed = [{"type": address.type, "address": address.address} for address in addresses]
    return {"status": {"addresses": listed}}


def node_patch(node: Node, labels: dict[str, str]) -> list[dict[str, Any]]:
    """A JSON patch that sets the labels and takes away the taint that keeps pods off a node which
    the cloud has not yet vouched for. Empty when there is nothing to do."""
    ops: list[dict[str, Any]] = [
        {"op": "add", "path": f"/metadata/labels/{name.replace('/', '~1')}", "value": value}
        for name, value in sorted(labels.items())
        if node.metadata.labels.get(name) != value
    ]
    if ops and not node.metadata.labels:
        ops.insert(0, {"op": "add", "path": "/metadata/labels", "value": {}})
    index = next((i for i, t in enumerate(node.spec.taints) if t.key == UNINITIALIZED), None)
    if index is not None:
        path = f"/spec/taints/{index}"
        ops.append({"op": "test", "path": f"{path}/key", "value": UNINITIALIZED})
        ops.append({"op": "remove", "path": path})
    return ops
