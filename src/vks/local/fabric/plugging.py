"""What stands in the way of plugging a port: decided from the links that exist."""

from __future__ import annotations

from collections.abc import Mapping

from vks.local.fabric import names
from vks.local.fabric.kernel import Link
from vks.local.fabric.types import (
    DuplicateAddressError,
    NetworkMissingError,
    Port,
    PortInUseError,
)


def alias_of(port: Port, server_id: str, device: str) -> names.PortAlias:
    """The owner that a plugged port carries."""
    return names.PortAlias(
        port=port.id,
        network=port.network_id,
        address=port.address,
        mac=port.mac.lower(),
        server=server_id,
        device=device,
    )


def half_made(links: Mapping[str, Link], port: Port) -> list[str]:
    """The link that an interrupted or refused attempt to plug the port left behind."""
    return [
        link.name
        for link in links.values()
        if link.owner is None and link.name == names.interface(port)
    ]


def obstacles(links: Mapping[str, Link], port: Port, wanted: names.PortAlias) -> list[str] | None:
    """The interfaces to remove before the port can be plugged, None if it is plugged already.

    That is an earlier shape of the same port in the same server, or links without owner.
    Raises NetworkMissingError, DuplicateAddressError, PortInUseError.
    """
    bridge = links.get(names.bridge(port.network_id))
    if bridge is None or bridge.owner is None:
        raise NetworkMissingError(f"network {port.network_id} is not in the fabric")
    if port.address in bridge.addresses:
        raise DuplicateAddressError(f"{port.address} is the gateway of network {port.network_id}")
    remove = []
    taken = {names.interface(port), names.port_altname(port.id), names.mac_altname(port)}
    for link in links.values():
        if taken.isdisjoint(link.altnames | {link.name}):
            continue
        match link.owner:
            case names.PortAlias() as owner if owner == wanted:
                return None
            case names.PortAlias() as owner if owner.port != port.id:
                raise DuplicateAddressError(
                    f"port {port.id}: {port.address} or {port.mac} belongs to port {owner.port} "
                    f"of server {owner.server}"
                )
            case names.PortAlias() as owner if owner.server != wanted.server:
                raise PortInUseError(f"port {port.id} is plugged into server {owner.server}")
            case names.NetworkAlias():
                raise DuplicateAddressError(f"{port.address} is a gateway of the fabric")
            case _:
                remove.append(link.name)
    return remove
