"""The interface between the compute API and whatever makes servers.

Every method is idempotent by server id and level-based: call it again after a crash, a timeout
or a cancellation, and it goes on from what exists. Calls for different servers run in parallel;
calls for the same server are serialised by the back end. Errors are ServerError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from vks.local.fabric import Port
from vks.local.servers.types import PowerChange, PowerState, ServerSpec


class ServerBackend(Protocol):
    """Makes, runs and removes servers."""

    async def open(self) -> None:
        """Adopts the servers that exist (they outlive this process) and starts watching them."""
        ...

    async def close(self) -> None:
        """Stops watching. Servers keep running."""
        ...

    async def ensure_running(self, spec: ServerSpec) -> None:
        """Makes the server if it does not exist, plugs its ports, starts it if it is off.

        Returns when its init runs (not when it has booted).
        """
        ...

    async def delete(self, server_id: str) -> None:
        """Removes the server and everything made for it; its ports are unplugged, not forgotten.

        Immediate, as pulling the plug is. An unknown id is a success.
        """
        ...

    async def stop(self, server_id: str) -> None:
        """Shuts the server down, in order if it does so within a few seconds."""
        ...

    async def start(self, server_id: str) -> None:
        """Starts a stopped server with the disk and ports that it had."""
        ...

    async def reboot(self, server_id: str, *, hard: bool = False) -> None:
        """Stops (at once if `hard`) and starts."""
        ...

    async def plug_port(self, server_id: str, port: Port) -> None:
        """Hot-plugs a further port as the next free ethN."""
        ...

    async def unplug_port(self, server_id: str, port_id: str) -> None:
        """Takes a port out of the server. Not being plugged is a success."""
        ...

    async def console_output(self, server_id: str, length: int | None = None) -> str:
        """The last `length` lines of the console log (all of it when None)."""
        ...

    async def list(self) -> dict[str, PowerState]:
        """Every server of this instance of which anything exists, half-made ones included."""
        ...

    def changes(self) -> AsyncIterator[PowerChange]:
        """Servers that went down by themselves, as it happens; one consumer, never ends."""
        ...
