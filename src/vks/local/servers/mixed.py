"""Real servers, and hollow ones for the flavors that ask for it: one back end in front of two."""

from __future__ import annotations

from collections.abc import AsyncIterator

from vks.local.fabric import Port
from vks.local.servers.backend import ServerBackend
from vks.local.servers.types import PowerChange, PowerState, ServerError, ServerSpec


class MixedBackend:
    """A ServerBackend. More than `most_real` real servers are refused: a quota that allows for
    a thousand hollow ones would let a wrong number of real ones take the machine down."""

    def __init__(self, real: ServerBackend, hollow: ServerBackend, most_real: int) -> None:
        self._real = real
        self._hollow = hollow
        self._most_real = most_real
        #: What is hollow; nobody but this back end makes them.
        self._ids: set[str] = set()

    async def open(self) -> None:
        await self._real.open()
        await self._hollow.open()
        self._ids = set(await self._hollow.list())

    async def close(self) -> None:
        await self._real.close()
        await self._hollow.close()

    async def ensure_running(self, spec: ServerSpec) -> None:
        if spec.flavor.hollow:
            self._ids.add(spec.id)
            await self._hollow.ensure_running(spec)
            return
        others = (await self._real.list()).keys() - {spec.id}
        if len(others) >= self._most_real:
            raise ServerError(
                "No valid host was found: this machine has memory for "
                f"{self._most_real} real servers"
            )
        await self._real.ensure_running(spec)

    async def delete(self, server_id: str) -> None:
        await self._of(server_id).delete(server_id)
        self._ids.discard(server_id)

    async def stop(self, server_id: str) -> None:
        await self._of(server_id).stop(server_id)

    async def start(self, server_id: str) -> None:
        await self._of(server_id).start(server_id)

    async def reboot(self, server_id: str, *, hard: bool = False) -> None:
        await self._of(server_id).reboot(server_id, hard=hard)

    async def plug_port(self, server_id: str, port: Port) -> None:
        await self._of(server_id).plug_port(server_id, port)

    async def unplug_port(self, server_id: str, port_id: str) -> None:
        await self._of(server_id).unplug_port(server_id, port_id)

    async def console_output(self, server_id: str, length: int | None = None) -> str:
        return await self._of(server_id).console_output(server_id, length)

    async def list(self) -> dict[str, PowerState]:
        return await self._real.list() | await self._hollow.list()

    def changes(self) -> AsyncIterator[PowerChange]:
        """Hollow servers do not go down by themselves."""
        return self._real.changes()

    def _of(self, server_id: str) -> ServerBackend:
        return self._hollow if server_id in self._ids else self._real
