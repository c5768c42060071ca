"""Servers with nothing behind the record, as Nova's fake driver makes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from vks.local.fabric import Port
from vks.local.servers import PowerChange, PowerState, ServerNotFoundError, ServerSpec


class RecordsBackend:
    """A ServerBackend for API tests: needs no privileges and no fabric."""

    def __init__(self) -> None:
        self._states: dict[str, PowerState] = {}
        self._consoles: dict[str, list[str]] = {}
        self._changes: asyncio.Queue[PowerChange] = asyncio.Queue()

    async def open(self) -> None:
        """Nothing to adopt: records die with the process and are made anew from the database."""

    async def close(self) -> None:
        """Nothing to leave behind."""

    async def ensure_running(self, spec: ServerSpec) -> None:
        if self._states.get(spec.id) is not PowerState.RUNNING:
            self._states[spec.id] = PowerState.RUNNING
            self._log(spec.id, f"{spec.hostname} booted from {spec.image}")

    async def delete(self, server_id: str) -> None:
        self._states.pop(server_id, None)
        self._consoles.pop(server_id, None)

    async def stop(self, server_id: str) -> None:
        self._set(server_id, PowerState.SHUTDOWN, "stopped")

    async def start(self, server_id: str) -> None:
        self._set(server_id, PowerState.RUNNING, "started")

    async def reboot(self, server_id: str, *, hard: bool = False) -> None:
        self._set(server_id, PowerState.RUNNING, "reset" if hard else "rebooted")

    async def plug_port(self, server_id: str, port: Port) -> None:
        self._need(server_id)
        self._log(server_id, f"port {port.id} plugged")

    async def unplug_port(self, server_id: str, port_id: str) -> None:
        if server_id in self._states:
            self._log(server_id, f"port {port_id} unplugged")

    async def console_output(self, server_id: str, length: int | None = None) -> str:
        self._need(server_id)
        lines = self._consoles.get(server_id, [])
        return "\n".join(lines if length is None else lines[len(lines) - min(length, len(lines)) :])

    async def list(self) -> dict[str, PowerState]:
        return dict(self._states)

    async def changes(self) -> AsyncIterator[PowerChange]:
        while True:
            yield await self._changes.get()

    def crash(self, server_id: str) -> None:
        """What a server does by itself and nobody asked for."""
        self._set(server_id, PowerState.SHUTDOWN, "crashed")
        self._changes.put_nowait(PowerChange(server_id, PowerState.SHUTDOWN))

    def _set(self, server_id: str, state: PowerState, what: str) -> None:
        self._need(server_id)
        self._states[server_id] = state
        self._log(server_id, what)

    def _need(self, server_id: str) -> None:
        if server_id not in self._states:
            raise ServerNotFoundError(f"no server {server_id}")

    def _log(self, server_id: str, line: str) -> None:
        self._consoles.setdefault(server_id, []).append(line)
