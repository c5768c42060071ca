"""What the cloud needs from the parts below it, and the back end with nothing below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from vks.local.fabric import Known
from vks.local.loadbalancer import AdminState, LoadBalancer, OperatingStatus


class NetworkBackend(Protocol):
    """The part of the fabric that follows from the network API."""

    async def ensure_network(self, network_id: str, cidr: str, gateway: str) -> None: ...
    async def remove_network(self, network_id: str) -> None: ...
    async def set_routes(self, network_id: str, routes: Mapping[str, str]) -> None: ...
    async def reclaim(self, known: Known) -> list[str]: ...


class BalancerBackend(Protocol):
    """The LBaaS data plane."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def ensure(self, lb: LoadBalancer) -> None: ...
    async def remove(self, lb_id: str) -> None: ...
    async def status(self, lb_id: str) -> dict[str, OperatingStatus]: ...
    async def list(self) -> set[str]: ...
    def failures(self) -> AsyncIterator[str]: ...


class RecordedNetworks:
    """Networks that are records only."""

    async def ensure_network(self, network_id: str, cidr: str, gateway: str) -> None:
        """Nothing lies below a record."""

    async def remove_network(self, network_id: str) -> None:
        """Nothing lies below a record."""

    async def set_routes(self, network_id: str, routes: Mapping[str, str]) -> None:
        """Nothing lies below a record."""

    async def reclaim(self, known: Known) -> list[str]:
        return []


class RecordedBalancers:
    """Load balancers that are records only: an enabled member counts as online."""

    def __init__(self) -> None:
        self._configured: dict[str, LoadBalancer] = {}

    async def open(self) -> None:
        """Nothing to adopt."""

    async def close(self) -> None:
        """Nothing to leave."""

    async def ensure(self, lb: LoadBalancer) -> None:
        self._configured[lb.id] = lb

    async def remove(self, lb_id: str) -> None:
        self._configured.pop(lb_id, None)

    async def status(self, lb_id: str) -> dict[str, OperatingStatus]:
        lb = self._configured.get(lb_id)
        found: dict[str, OperatingStatus] = {}
        for pool in lb.pools if lb else ():
            for member in pool.members:
                if member.admin_state is AdminState.DRAINING:
                    found[member.id] = OperatingStatus.DRAINING
                elif member.admin_state is AdminState.DISABLED:
                    found[member.id] = OperatingStatus.OFFLINE
                elif pool.health_monitor is None:
                    found[member.id] = OperatingStatus.NO_MONITOR
                else:
                    found[member.id] = OperatingStatus.ONLINE
        return found

    async def list(self) -> set[str]:
        return set(self._configured)

    async def failures(self) -> AsyncIterator[str]:
        """Records do not fail by themselves: waits until it is cancelled."""
        await asyncio.Event().wait()
        yield ""
