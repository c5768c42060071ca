"""Pure: the objects by which the provider knows reserved addresses that it did not reserve.

Each finds its port by the mark of its first owner, is claimed by the machine that has it, and lets
go of neither port nor server while they may yet be given back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vks.resources.contract import CLUSTER_NAME_LABEL, OWNER_ANNOTATION
from vks.resources.legacycluster import LegacyCluster, LegacySlot, slot_owner
from vks.resources.legacynode import LegacyNode
from vks.resources.verdaport import PORT_POOL_LABEL, VerdaPortPool, port_name

Body = dict[str, Any]


def unreserved(cluster: LegacyCluster) -> list[str]:
    """Addresses that the cluster lacks, or has and should not."""
    reserved = {(slot.pool, slot.name) for slot in cluster.status.slots if slot.port_id}
    return [
        f"slot {slot} of pool {pool} is not as it shall be"
        for pool, slot in sorted(cluster.wanted_slots.keys() ^ reserved)
    ]


def port_body(
    cluster: LegacyCluster, slot: LegacySlot, pool: Body, nodes: Iterable[LegacyNode]
) -> Body:
    """`pool` is the VerdaPortPool as the API server has it, `nodes` all that stay."""
    meta = pool["metadata"]
    wanted = next(known for known in pool["spec"]["slots"] if known["name"] == slot.name)
    own = (slot.pool, slot.name)
    holder = next((node for node in nodes if (node.spec.pool, node.spec.slot) == own), None)
    owner = {
        "apiVersion": VerdaPortPool.resource.api_version,
        "kind": VerdaPortPool.resource.kind,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = {CLUSTER_NAME_LABEL: cluster.metadata.name, PORT_POOL_LABEL: meta["name"]}
    spec = {
        "clusterName": cluster.metadata.name,
        "poolRef": {"name": meta["name"]},
        "subnetID": pool["spec"].get("subnetID"),
        "address": wanted.get("address"),
        "zone": wanted.get("zone"),
        "deletionPolicy": "Retain",
    }
    if holder is not None:
        spec |= {"claim": _claim(holder), "token": 1, "lastZone": holder.spec.zone}
    return {
        "metadata": {
            "name": port_name(meta["name"], slot.name),
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
            "annotations": {
                OWNER_ANNOTATION: slot_owner(cluster.metadata.uid, slot.pool, slot.name)
            },
        },
        "spec": {name: value for name, value in spec.items() if value is not None},
    }


def _claim(holder: LegacyNode) -> Body:
    """The machine is named like the node, and owns its server by the node's mark."""
    meta = holder.metadata
    since = meta.creation_timestamp or ""
    return {"kind": "VerdaMachine", "name": meta.name, "owner": meta.uid, "since": since}
