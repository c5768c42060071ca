"""Pure: the IPAddress that a claim gets with a slot."""

from __future__ import annotations

from typing import Any

from vks.kube.objects import owner_reference
from vks.resources.contract import CLUSTER_NAME_LABEL, INFRASTRUCTURE_GROUP
from vks.resources.ipam import IPAddressClaim
from vks.resources.verdaport import VerdaPort, VerdaPortPool

#: The contract's: an address goes only when its claim has gone.
PROTECT_FINALIZER = "ipam.cluster.x-k8s.io/protect-address"


def asks_us(claim: IPAddressClaim) -> bool:
    """Whether the claim refers to a VerdaPortPool."""
    reference = claim.spec.pool_ref
    return (reference.api_group, reference.kind) == (INFRASTRUCTURE_GROUP, "VerdaPortPool")


def address_body(claim: IPAddressClaim, pool: VerdaPortPool, port: VerdaPort) -> dict[str, Any]:
    """The address under the claim's name, owned by the claim and by the pool."""
    status = port.status
    spec: dict[str, Any] = {
        "claimRef": {"name": claim.metadata.name},
        "poolRef": {
            "apiGroup": INFRASTRUCTURE_GROUP,
            "kind": "VerdaPortPool",
            "name": pool.metadata.name,
        },
        "address": status.address,
        "prefix": status.prefix,
    }
    if status.gateway:
        spec["gateway"] = status.gateway
    owner = {**owner_reference(claim, controller=True)}
    return {
        "metadata": {
            "name": claim.metadata.name,
            "namespace": claim.metadata.namespace,
            "labels": {CLUSTER_NAME_LABEL: pool.spec.cluster_name},
            "finalizers": [PROTECT_FINALIZER],
            "ownerReferences": [owner, {**owner_reference(pool), "blockOwnerDeletion": True}],
        },
        "spec": spec,
    }
