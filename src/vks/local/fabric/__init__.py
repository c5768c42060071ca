"""Kernel networking of a local region: networks, ports, routes and VIPs in one namespace."""

from vks.local.fabric.fabric import Fabric
from vks.local.fabric.types import (
    SERVICES_ADDRESS,
    DuplicateAddressError,
    FabricError,
    Inventory,
    Known,
    NetworkMissingError,
    PluggedPort,
    Port,
    PortInUseError,
)

__all__ = [
    "SERVICES_ADDRESS",
    "DuplicateAddressError",
    "Fabric",
    "FabricError",
    "Inventory",
    "Known",
    "NetworkMissingError",
    "PluggedPort",
    "Port",
    "PortInUseError",
]
