"""What the fabric is asked for and what it reports: plain frozen values and its errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

#: Names of the interfaces inside a server, in the order of its ports.
FIRST_DEVICE: Final = "eth0"

#: Where servers reach the region's own services, whatever network they are in (link-local, as
#: the metadata service of a cloud is).
SERVICES_ADDRESS: Final = "169.254.169.253"


class FabricError(Exception):
    """The kernel refused a change, or the request contradicts what exists."""


class DuplicateAddressError(FabricError):
    """The address (or MAC) already belongs to another port of that network, or to its gateway."""


class PortInUseError(FabricError):
    """The port is plugged into another server; unplug it there first."""


class NetworkMissingError(FabricError):
    """The network has not been made with `ensure_network`."""


@dataclass(frozen=True, slots=True)
class Port:
    """One Neutron port as the fabric sees it: outlives servers, one address.

    `address` without prefix ("10.60.1.5"), `prefix` the subnet's length (24), `gateway` the
    subnet's gateway or None for a port without default route.
    """

    id: str
    network_id: str
    mac: str
    address: str
    prefix: int
    gateway: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """The ids that the cloud's state still holds; `Fabric.reclaim` removes everything else."""

    networks: frozenset[str] = frozenset()
    ports: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()
    vips: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PluggedPort:
    """A port as found in the kernel."""

    id: str
    network_id: str
    address: str
    server_id: str
    interface: str  # the veth's end in the fabric


@dataclass(frozen=True, slots=True)
class Inventory:
    """What really exists for an instance, counted from the kernel and from nothing else.

    `strays` names interfaces in the fabric and policy rules that carry no (complete) owner:
    what a killed process left half-made. A healthy idle fabric has none.
    """

    fabric: bool = False
    servers: frozenset[str] = frozenset()  # server ids that have a network namespace
    networks: dict[str, str] = field(default_factory=dict)  # network id -> bridge
    ports: tuple[PluggedPort, ...] = ()
    vips: frozenset[str] = frozenset()
    routes: dict[str, dict[str, str]] = field(default_factory=dict)  # network id -> cidr -> hop
    strays: tuple[str, ...] = ()
