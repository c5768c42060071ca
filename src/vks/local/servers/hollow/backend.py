"""The hollow back end: servers that are what their user data would make of them.

Everything that is remembered is in `vks-hollow`, which outlives this process and keeps a journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from vks.local.fabric import Port
from vks.local.servers.configdrive import meta_data
from vks.local.servers.hollow.client import HollowClient
from vks.local.servers.hollow.userdata import UserDataError, bootstrap_of
from vks.local.servers.types import PowerChange, PowerState, ServerSpec


class HollowBackend:
    """A ServerBackend; `versions` tells the Kubernetes version of an image id."""

    def __init__(self, client: HollowClient, versions: Callable[[str], str]) -> None:
        self._client = client
        self._versions = versions

    async def open(self) -> None:
        """Nothing to adopt: `vks-hollow` has never let go of them."""

    async def close(self) -> None:
        await self._client.close()

    async def ensure_running(self, spec: ServerSpec) -> None:
        version = self._versions(spec.image)
        await self._client.call("PUT", "servers", spec.id, body=hollow_server(spec, version))

    async def delete(self, server_id: str) -> None:
        await self._client.call("DELETE", "servers", server_id)

    async def stop(self, server_id: str) -> None:
        await self._client.call("POST", "servers", server_id, "stop")

    async def start(self, server_id: str) -> None:
        await self._client.call("POST", "servers", server_id, "start")

    async def reboot(self, server_id: str, *, hard: bool = False) -> None:
        await self.stop(server_id)
        await self.start(server_id)

    async def plug_port(self, server_id: str, port: Port) -> None:
        """A port beside the first changes nothing that a hollow server does."""

    async def unplug_port(self, server_id: str, port_id: str) -> None:
        """A port beside the first changes nothing that a hollow server does."""

    async def console_output(self, server_id: str, length: int | None = None) -> str:
        text: str = await self._client.call("GET", "servers", server_id, "console", text=True)
        return text if length is None else "".join(text.splitlines(keepends=True)[-length:])

    async def list(self) -> dict[str, PowerState]:
        running: dict[str, bool] = await self._client.call("GET", "servers")
        return {
            server_id: PowerState.RUNNING if runs else PowerState.SHUTDOWN
            for server_id, runs in running.items()
        }

    async def changes(self) -> AsyncIterator[PowerChange]:
        """Hollow servers do not go down by themselves: waits until it is cancelled."""
        await asyncio.Event().wait()
        yield PowerChange("", PowerState.NOSTATE)


def hollow_server(spec: ServerSpec, version: str) -> dict[str, Any]:
    """The server as `vks-hollow` takes it; user data that cannot be used shows on its console."""
    bootstrap, problem = None, ""
    try:
        if spec.user_data:
            bootstrap = bootstrap_of(spec.user_data, meta_data(spec))
    except UserDataError as error:
        problem = str(error)
    if bootstrap is not None:
        bootstrap["nodeName"] = bootstrap["nodeName"] or spec.hostname
    return {
        "hostname": spec.hostname,
        "address": spec.ports[0].address if spec.ports else "",
        "cpus": spec.flavor.vcpus,
        "memoryMiB": spec.flavor.ram_mb,
        "version": version,
        "bootstrap": bootstrap,
        "problem": problem,
    }
