"""Back ends that make servers, kept apart from the API that asks for them."""

from vks.local.servers.backend import ServerBackend
from vks.local.servers.types import (
    Flavor,
    PowerChange,
    PowerState,
    ServerError,
    ServerNotFoundError,
    ServerSpec,
)

__all__ = [
    "Flavor",
    "PowerChange",
    "PowerState",
    "ServerBackend",
    "ServerError",
    "ServerNotFoundError",
    "ServerSpec",
]
