"""VerdaPortPool and VerdaPort: reserved addresses that outlive the servers that use them.

A VerdaPort is one slot: a Neutron port with an address and a MAC of its own, which one server
after the other boots on. A VerdaPortPool is the slots of a pool of nodes.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.contract import INFRASTRUCTURE_GROUP
from vks.resources.fields import (
    CloudName,
    ConditionList,
    DnsLabel,
    IPv4Text,
    LocalReference,
    NamedList,
)
from vks.resources.validation import Rule, fixed, immutable

#: Names the VerdaPortPool on its VerdaPorts.
PORT_POOL_LABEL = f"{INFRASTRUCTURE_GROUP}/port-pool"

SlotState = Literal["Reserving", "Free", "Claimed", "InUse", "Releasing", "Retiring"]


class SlotSpec(KubeStruct, frozen=True, kw_only=True):
    """One slot of a pool. Without `address` Neutron picks one, once; `zone` pins the slot."""

    name: DnsLabel
    address: IPv4Text | None = None
    zone: CloudName | None = None


Slots = Annotated[tuple[SlotSpec, ...], msgspec.Meta(max_length=1000), NamedList]


class VerdaPortPoolSpec(KubeStruct, frozen=True, kw_only=True):
    """Slots may be added and removed; one that is in use goes when its server has gone.

    Without `subnet_id` the ports are in the subnet of the VerdaCluster.
    """

    cluster_name: DnsLabel
    subnet_id: CloudName | None = None
    slots: Slots = ()


class VerdaPortPoolStatus(KubeStruct, frozen=True, kw_only=True):
    total: int = 0
    free: int = 0
    in_use: int = 0
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class VerdaPortPool(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(
        INFRASTRUCTURE_GROUP, "v1beta1", "VerdaPortPool", "verdaportpools"
    )
    validations: ClassVar[tuple[Rule, ...]] = (immutable("spec.clusterName"),)
    spec: VerdaPortPoolSpec
    status: VerdaPortPoolStatus = VerdaPortPoolStatus()


class SlotClaim(KubeStruct, frozen=True, kw_only=True):
    """Who has the slot. `owner` is what the holder's things in the cloud are marked with, so that
    it stays valid when `clusterctl move` gives the holder another UID; `since` is RFC 3339."""

    kind: Literal["VerdaMachine", "IPAddressClaim"]
    name: str
    owner: str
    since: str = ""


class VerdaPortSpec(KubeStruct, frozen=True, kw_only=True):
    """`claim` and what follows is written by compare-and-swap only.

    `token` grows with every claim: of two servers on one port the one with the lower token is
    the stale one. `last_zone` is where the last holder was, which its replacement prefers.
    """

    cluster_name: DnsLabel
    pool_ref: LocalReference
    subnet_id: CloudName | None = None
    address: IPv4Text | None = None
    zone: CloudName | None = None
    #: What becomes of the port when the object is deleted, and of the server of a holder that was
    #: forced out. "Retain" is for what was taken over and may yet be given back.
    deletion_policy: Literal["Delete", "Retain"] = "Delete"
    claim: SlotClaim | None = None
    token: int = 0
    last_zone: str = ""


class VerdaPortStatus(KubeStruct, frozen=True, kw_only=True):
    """`since` (RFC 3339) is when the slot got into its state; `prefix` is the subnet's length."""

    state: SlotState = "Reserving"
    since: str = ""
    port_id: str = ""
    address: str = ""
    mac_address: str = ""
    network_id: str = ""
    subnet_id: str = ""
    prefix: int = 0
    gateway: str = ""
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class VerdaPort(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(
        INFRASTRUCTURE_GROUP, "v1beta1", "VerdaPort", "verdaports"
    )
    #: What the claim protocol promises, held by the API server whatever its clients do.
    validations: ClassVar[tuple[Rule, ...]] = (
        immutable("spec.clusterName"),
        immutable("spec.poolRef"),
        fixed("spec.address"),
        fixed("spec.subnetID"),
        {
            "rule": "!has(oldSelf.spec.token) "
            "|| (has(self.spec.token) && self.spec.token >= oldSelf.spec.token)",
            "message": "spec.token never goes back",
        },
        {
            "rule": "!has(oldSelf.spec.claim) || !has(self.spec.claim) "
            "|| self.spec.claim.owner == oldSelf.spec.claim.owner",
            "message": "spec.claim is released before another owner gets it",
        },
        {
            "rule": "has(oldSelf.spec.claim) || !has(self.spec.claim) "
            "|| (has(self.spec.token) && self.spec.token > "
            "(has(oldSelf.spec.token) ? oldSelf.spec.token : 0))",
            "message": "a new spec.claim comes with a higher spec.token",
        },
    )
    spec: VerdaPortSpec
    status: VerdaPortStatus = VerdaPortStatus()


def port_name(pool: str, slot: str) -> str:
    """The name of a slot's VerdaPort: the slot names nothing twice within its pool."""
    return f"{pool}.{slot}"
