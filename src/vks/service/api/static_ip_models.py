"""The shapes of static addresses in requests and answers."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from vks.service.api.shapes import Condition, Model, Reference


def _address(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


IPv4 = Annotated[
    str, Field(max_length=15, json_schema_extra={"format": "ipv4"}), AfterValidator(_address)
]


class Slot(Model):
    """One reserved address. Without `address` the cloud picks one; `zone` pins the slot."""

    address: IPv4 | None = None
    zone: Reference | None = None


class StaticIP(Model):
    """Addresses that the pool's nodes take turns in: a `count` of them, a list of `addresses`, or
    `slots` one by one. `subnet` is one of the cluster's network; its first one by default."""

    subnet: Reference | None = None
    count: Annotated[int, Field(ge=1, le=1000)] | None = None
    addresses: Annotated[list[IPv4], Field(min_length=1, max_length=1000)] | None = None
    slots: Annotated[list[Slot], Field(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def one_form(self) -> Self:
        if sum(form is not None for form in (self.count, self.addresses, self.slots)) != 1:
            raise ValueError("exactly one of count, addresses and slots is needed")
        return self

    @property
    def form(self) -> Literal["count", "addresses", "slots"]:
        """Which of the three the request uses."""
        if self.slots is not None:
            return "slots"
        return "count" if self.addresses is None else "addresses"


class SlotView(Model):
    """`zone` is the zone that the slot is pinned to. `since` is when it got into its state."""

    name: str
    address: str | None
    mac: str | None
    port: str | None
    zone: str | None
    node: str | None
    state: Literal["Reserving", "Free", "Claimed", "InUse", "Releasing", "Retiring"]
    since: str | None
    message: str


class StaticIPSummary(Model):
    """How many addresses a node pool has reserved; the static IP pool of its name shows them."""

    subnet: str | None
    count: int


class StaticIPPoolView(Model):
    """The reserved addresses of a node pool, which has the same name."""

    name: str
    cluster: str
    node_pool: str
    subnet: str | None
    gateway: str | None
    total: int
    free: int
    in_use: int
    slots: list[SlotView]
    conditions: list[Condition]
