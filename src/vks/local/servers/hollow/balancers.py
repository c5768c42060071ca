"""The load balancers of a hollow region: `vks-hollow` listens on their addresses itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from vks.local.loadbalancer import AdminState, LoadBalancer, LoadBalancerError, OperatingStatus
from vks.local.servers.hollow.client import HollowClient
from vks.local.servers.types import ServerError


class HollowBalancers:
    """A BalancerBackend for load balancers with one listener, which is what a cluster has."""

    def __init__(self, client: HollowClient) -> None:
        self._client = client
        self._configured: dict[str, LoadBalancer] = {}

    async def open(self) -> None:
        """Nothing to adopt: `vks-hollow` has never stopped listening."""

    async def close(self) -> None:
        """Its client is closed by the servers' back end, which shares it."""

    async def ensure(self, lb: LoadBalancer) -> None:
        self._configured[lb.id] = lb
        if not lb.listeners:
            await self._client.call("DELETE", "loadbalancers", lb.id)
            return
        try:
            await self._client.call("PUT", "loadbalancers", lb.id, body=hollow_balancer(lb))
        except ServerError as error:
            raise LoadBalancerError(str(error)) from error

    async def remove(self, lb_id: str) -> None:
        self._configured.pop(lb_id, None)
        await self._client.call("DELETE", "loadbalancers", lb_id)

    async def status(self, lb_id: str) -> dict[str, OperatingStatus]:
        online: dict[str, bool] = await self._client.call("GET", "loadbalancers", lb_id)
        lb = self._configured.get(lb_id)
        found: dict[str, OperatingStatus] = {}
        for pool in lb.pools if lb else ():
            for member in pool.members:
                if member.admin_state is AdminState.DRAINING:
                    found[member.id] = OperatingStatus.DRAINING
                elif pool.health_monitor is None:
                    found[member.id] = OperatingStatus.NO_MONITOR
                elif member.admin_state is AdminState.ENABLED and online.get(member.id):
                    found[member.id] = OperatingStatus.ONLINE
                else:
                    found[member.id] = OperatingStatus.OFFLINE
        return found

    async def list(self) -> set[str]:
        return set(await self._client.call("GET", "loadbalancers"))

    async def failures(self) -> AsyncIterator[str]:
        """Listeners do not fail by themselves: waits until it is cancelled."""
        await asyncio.Event().wait()
        yield ""


def hollow_balancer(lb: LoadBalancer) -> dict[str, Any]:
    """The load balancer as `vks-hollow` takes it. Raises LoadBalancerError for what it cannot."""
    if len(lb.listeners) != 1:
        raise LoadBalancerError(f"load balancer {lb.id}: a hollow region serves one listener")
    listener = lb.listeners[0]
    members = next((pool.members for pool in lb.pools if pool.id == listener.pool_id), ())
    return {
        "address": f"{lb.vip}:{listener.port}",
        "members": [
            {
                "id": member.id,
                "address": member.address,
                "enabled": member.admin_state is AdminState.ENABLED and member.weight > 0,
            }
            for member in members
        ],
    }
