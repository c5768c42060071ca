"""Brings the fabric's networks and routes to what the network API recorded."""

from __future__ import annotations

import asyncio
import ipaddress
from weakref import WeakValueDictionary

from vks.local.cloud.backends import NetworkBackend
from vks.local.cloud.core.database import Database
from vks.local.cloud.network.tables import NETWORKS, PORTS, ROUTERS, SUBNETS, Subnet


class NetworkWorker:
    """Level-based: looks at the records of one network and makes the fabric match."""

    def __init__(self, db: Database, backend: NetworkBackend) -> None:
        self._db = db
        self._backend = backend
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def all(self) -> list[str]:
        return [network.id for network in NETWORKS.find(self._db)]

    async def reconcile(self, network_id: str) -> None:
        """One at a time per network, so that an older look cannot overwrite a newer one."""
        lock = self._locks.setdefault(network_id, asyncio.Lock())
        async with lock:
            await self._reconcile(network_id)

    async def _reconcile(self, network_id: str) -> None:
        subnet = self._subnet(network_id)
        if subnet is None:
            await self._backend.remove_network(network_id)
            return
        gateway = subnet.gateway_ip or str(ipaddress.ip_network(subnet.cidr)[1])
        await self._backend.ensure_network(network_id, subnet.cidr, gateway)
        await self._backend.set_routes(network_id, self._routes(network_id, subnet))

    def _subnet(self, network_id: str) -> Subnet | None:
        """The network's IPv4 subnet: the fabric carries one per network."""
        if NETWORKS.get(self._db, id=network_id) is None:
            return None
        return SUBNETS.get(self._db, network_id=network_id, ip_version=4)

    def _routes(self, network_id: str, subnet: Subnet) -> dict[str, str]:
        """The extra routes of the routers on this network whose next hop is on its subnet."""
        cidr = ipaddress.ip_network(subnet.cidr)
        interfaces = PORTS.find(
            self._db, network_id=network_id, device_owner="network:router_interface"
        )
        routers = ROUTERS.find(self._db, id=[port.device_id for port in interfaces])
        return {
            route["destination"]: route["nexthop"]
            for router in routers
            for route in router.routes
            if ipaddress.ip_address(route["nexthop"]) in cidr
        }
