"""Cluster API's IPAM kinds (v1beta2), reduced to the fields that VKS reads."""

from __future__ import annotations

from typing import Annotated, ClassVar

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.contract import IPAM_GROUP
from vks.resources.fields import ConditionList, ContractReference, LocalReference

V = "v1beta2"


class IPAddressClaimSpec(KubeStruct, frozen=True, kw_only=True):
    cluster_name: str = ""
    pool_ref: ContractReference = ContractReference()


class IPAddressClaimStatus(KubeStruct, frozen=True, kw_only=True):
    address_ref: LocalReference | None = None
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class IPAddressClaim(KubeObject, frozen=True, kw_only=True):
    """A wish for one address of a pool, for as long as the claim exists."""

    resource: ClassVar[Resource] = Resource(IPAM_GROUP, V, "IPAddressClaim", "ipaddressclaims")
    spec: IPAddressClaimSpec = IPAddressClaimSpec()
    status: IPAddressClaimStatus = IPAddressClaimStatus()


class IPAddressSpec(KubeStruct, frozen=True, kw_only=True):
    claim_ref: LocalReference = LocalReference(name="")
    pool_ref: ContractReference = ContractReference()
    address: str = ""
    prefix: int = 0
    gateway: str = ""


class IPAddress(KubeObject, frozen=True, kw_only=True):
    """The address that a claim of the same name got."""

    resource: ClassVar[Resource] = Resource(IPAM_GROUP, V, "IPAddress", "ipaddresses")
    spec: IPAddressSpec = IPAddressSpec()
