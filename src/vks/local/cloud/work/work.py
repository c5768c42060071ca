"""All of the background work behind one door."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from vks.local.cloud.backends import BalancerBackend, NetworkBackend
from vks.local.cloud.compute.interfaces import mark_leaving
from vks.local.cloud.compute.tables import SERVERS
from vks.local.cloud.core.database import Database
from vks.local.cloud.core.settings import Settings
from vks.local.cloud.faults.rules import FaultRules
from vks.local.cloud.lbaas.tables import LOAD_BALANCERS
from vks.local.cloud.network.tables import PORTS
from vks.local.cloud.work.loadbalancers import LoadBalancerWorker
from vks.local.cloud.work.networks import NetworkWorker
from vks.local.cloud.work.queue import KeyedQueue
from vks.local.cloud.work.servers import ServerWorker
from vks.local.fabric import Known
from vks.local.servers import ServerBackend

_log = logging.getLogger(__name__)


class Work:
    """Handlers say which object has something to do; queues make the workers look at it."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        faults: FaultRules,
        servers: ServerBackend,
        networks: NetworkBackend,
        balancers: BalancerBackend,
        concurrency: int = 16,
    ) -> None:
        self._db = db
        self._server_backend = servers
        self._network_backend = networks
        self._balancer_backend = balancers
        self._networks = NetworkWorker(db, networks)
        self._balancers = LoadBalancerWorker(db, balancers, faults)
        self._servers = ServerWorker(db, settings, servers, faults, self._networks.reconcile)
        self._queues = {
            "server": KeyedQueue("server", self._servers.reconcile, concurrency),
            "network": KeyedQueue("network", self._networks.reconcile),
            "loadbalancer": KeyedQueue("loadbalancer", self._balancers.reconcile),
        }
        self._watchers: list[asyncio.Task[None]] = []

    def server(self, server_id: str) -> None:
        self._queues["server"].add(server_id)

    def network(self, network_id: str) -> None:
        self._queues["network"].add(network_id)

    def loadbalancer(self, lb_id: str) -> None:
        self._queues["loadbalancer"].add(lb_id)

    def detach(self, server_id: str, port_id: str) -> None:
        """The port was deleted while a server had it; called within the deleting transaction."""
        server = SERVERS.get(self._db, id=server_id, deleted=False)
        if server is not None:
            SERVERS.update(self._db, server, interfaces=mark_leaving(server, port_id))
            self.server(server_id)

    async def start(self) -> None:
        """Bring everything together with what exists, then go on with what was recorded."""
        await self._server_backend.open()
        await self._balancer_backend.open()
        self._servers.forget_deleted()
        await self._servers.adopt()
        for lb_id in await self._balancer_backend.list() - set(self._balancers.all()):
            await self._balancer_backend.remove(lb_id)
        for removed in await self._network_backend.reclaim(self._known()):
            _log.warning("reclaimed %s", removed)
        self.resume()
        self._watchers = [
            asyncio.create_task(_forever(self._watch_servers), name="server changes"),
            asyncio.create_task(_forever(self._watch_balancers), name="load balancer failures"),
        ]

    def resume(self) -> None:
        """Look at all that is unfinished; networks and load balancers are compared in any case."""
        for network_id in self._networks.all():
            self.network(network_id)
        for server_id in self._servers.unfinished():
            self.server(server_id)
        for lb_id in self._balancers.all():
            self.loadbalancer(lb_id)

    async def stop(self) -> None:
        for task in self._watchers:
            task.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for queue in self._queues.values():
            await queue.close()
        await self._server_backend.close()
        await self._balancer_backend.close()

    async def idle(self) -> None:
        """Returns when the queues are empty (held work is not waited for)."""
        for queue in self._queues.values():
            await queue.idle()

    async def _watch_servers(self) -> None:
        async for change in self._server_backend.changes():
            self._servers.powered(change.id, change.state)

    async def _watch_balancers(self) -> None:
        async for lb_id in self._balancer_backend.failures():
            self.loadbalancer(lb_id)

    def _known(self) -> Known:
        return Known(
            networks=frozenset(self._networks.all()),
            ports=frozenset(port.id for port in PORTS.find(self._db)),
            servers=frozenset(row.id for row in SERVERS.find(self._db, deleted=False)),
            vips=frozenset(lb.vip_address for lb in LOAD_BALANCERS.find(self._db)),
        )


async def _forever(watch: Callable[[], Awaitable[None]]) -> None:
    """A watch that breaks is begun again; what it missed is found by the next comparison."""
    while True:
        try:
            await watch()
        except Exception:
            _log.exception("a watch of the back end broke")
        await asyncio.sleep(1.0)
