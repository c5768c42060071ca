"""Names of what the fabric makes in the kernel.

Names carry the guarantees: the kernel refuses a second interface of the same name or alternative
name in a namespace, so an address, a MAC and a port can each be plugged only once per network,
whoever asks and however often. Interface names have at most 15 characters, so they are hashes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass

from vks.local.fabric.types import FabricError, Port

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")


def checked_id(value: str) -> str:
    """`value` if it can be part of a file name and an interface's alias; else FabricError."""
    if not _ID.fullmatch(value):
        raise FabricError(f"{value!r} is not an id (letters, digits, - and _, at most 50)")
    return value


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def server_netns(fabric_netns: str, server_id: str) -> str:
    """A server's namespace; the dot keeps it apart from any instance's own namespace name."""
    return f"{fabric_netns}.{checked_id(server_id)}"


def bridge(network_id: str) -> str:
    return "n" + _digest("network", network_id)[:13]


def bridge_mac(network_id: str) -> str:
    """A fixed, locally administered MAC: without one a bridge takes its lowest port's, which
    changes as servers come and go and leaves stale neighbour entries in all the others."""
    digits = _digest("mac", network_id)
    return ":".join(["02", *(digits[i : i + 2] for i in range(0, 10, 2))])


def table(network_id: str) -> int:
    """The network's routing table, also the mark of packets that came from it; never 0..255."""
    return int(_digest("table", network_id)[:8], 16) & 0x3FFFFFFF | 0x40000000


def interface(port: Port) -> str:
    """The veth's end in the fabric: one per (network, address)."""
    return "p" + _digest("address", port.network_id, port.address)[:13]


def port_altname(port_id: str) -> str:
    return f"port.{checked_id(port_id)}"


def mac_altname(port: Port) -> str:
    return "mac." + _digest("mac", port.network_id, port.mac.lower())[:24]


@dataclass(frozen=True, slots=True)
class NetworkAlias:
    """Written on a bridge as its last step: a bridge without it is half-made."""

    network: str
    cidr: str
    gateway: str


@dataclass(frozen=True, slots=True)
class PortAlias:
    """Written on a veth as its last step: a veth without it is half-made."""

    port: str
    network: str
    address: str
    mac: str
    server: str
    device: str


def encode_alias(alias: NetworkAlias | PortAlias) -> str:
    """One word for `ip link set alias`. Raises FabricError over the kernel's 255 bytes."""
    text = ",".join(f"{key}={value}" for key, value in asdict(alias).items())
    if len(text) > 255:
        raise FabricError(f"ids are too long for an interface's alias: {text}")
    return text


def decode_alias(text: str | None) -> NetworkAlias | PortAlias | None:
    """The owner that the alias names, or None when it is not one of ours."""
    fields = dict(item.partition("=")[::2] for item in (text or "").split(",") if "=" in item)
    for kind in (NetworkAlias, PortAlias):
        if fields.keys() == set(kind.__slots__):
            return kind(**fields)
    return None
