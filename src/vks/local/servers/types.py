"""What a server is: the values that the compute API hands to a server back end."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from vks.local.fabric import Port


class PowerState(enum.IntEnum):
    """Nova's power states (`OS-EXT-STS:power_state`), those that these back ends can report."""

    NOSTATE = 0  # known, but being made or being deleted: never fully started
    RUNNING = 1
    SHUTDOWN = 4  # off, by `stop` or because its init ended


class ServerError(Exception):
    """The back end could not do what it was asked; the message is fit for a server's `fault`."""


class ServerNotFoundError(ServerError):
    """No server of that id in this back end."""


@dataclass(frozen=True, slots=True)
class Flavor:
    """`ram_mb` bounds the server's memory; `vcpus` sets its share of the processors. Servers of a
    `hollow` one have nothing behind them but what their user data asks for."""

    name: str
    vcpus: int
    ram_mb: int
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """Everything needed to make a server from nothing, and to make it again the same.

    `image` is the image's id; the back end resolves it. With `volume_gib` the disk has that size,
    else it has no bound of its own. `ports` become eth0, eth1, … in order; the first one's gateway
    is the default route. `user_data` is raw (not base64).
    `public_keys` maps key pair names to OpenSSH public keys.
    """

    id: str
    name: str
    hostname: str
    image: str
    flavor: Flavor
    zone: str
    project_id: str
    volume_gib: int | None = None
    ports: tuple[Port, ...] = ()
    user_data: bytes = b""
    metadata: dict[str, str] = field(default_factory=dict)
    public_keys: dict[str, str] = field(default_factory=dict)
    dns_servers: tuple[str, ...] = ()  # empty: the first port's gateway


@dataclass(frozen=True, slots=True)
class PowerChange:
    """A server went to `state` without having been asked to (its init ended, it crashed)."""

    id: str
    state: PowerState
