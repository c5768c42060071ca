"""LBaaS v1, Verda's own load balancer service (not Octavia)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from vks.verda.errors import Conflict, NotFound
from vks.verda.once import Flights, create_once
from vks.verda.owner import owner_of, owner_tag
from vks.verda.transport import Service, Transport, unwrap

LBAAS = Service("lbaas")

AdminState = Literal["ENABLED", "DRAINING", "DISABLED"]


class Reference(msgspec.Struct, frozen=True):
    id: str


class LoadBalancer(msgspec.Struct, frozen=True):
    """`status`: PENDING_CREATE, ACTIVE, PENDING_UPDATE, PENDING_DELETE or ERROR."""

    id: str
    name: str = ""
    project_id: str = ""
    vip_address: str = ""
    status: str = ""
    zones: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    listeners: tuple[Reference, ...] = ()
    pools: tuple[Reference, ...] = ()

    @property
    def owner(self) -> str | None:
        return owner_of(self.tags)


class Pool(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    algorithm: str = ""


class Listener(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    port: int = 0
    pool_id: str | None = None


class Member(msgspec.Struct, frozen=True):
    id: str
    name: str
    address: str
    port: int
    admin_state: str = "ENABLED"
    operating_status: str = ""


class LoadBalancerRequest(NamedTuple):
    name: str
    zones: tuple[str, ...] = ()
    vip_address: str | None = None


class HealthMonitor(NamedTuple):
    """Times in milliseconds; `rise` and `fall` in checks."""

    type: Literal["TCP", "HTTPS"]
    interval_ms: int = 1000
    timeout_ms: int = 1000
    rise: int = 1
    fall: int = 2
    path: str | None = None

    def body(self) -> dict[str, Any]:
        return {name: value for name, value in self._asdict().items() if value is not None}


class LoadBalancerClient:
    """Every method raises CloudError. `create_*` find what is already there."""

    def __init__(self, transport: Transport, flights: Flights) -> None:
        self._transport = transport
        self._flights = flights

    async def load_balancers(self, *, tags: tuple[str, ...] = ()) -> list[LoadBalancer]:
        params = {"tags": ",".join(tags)} if tags else {}
        return await self._transport.list(
            LBAAS, "/loadbalancers", "loadbalancers", LoadBalancer, params
        )

    async def load_balancers_of(self, owner: str) -> list[LoadBalancer]:
        found = await self.load_balancers(tags=(owner_tag(owner),))
        return sorted(found, key=lambda item: item.id)

    async def find_load_balancer(self, load_balancer_id: str) -> LoadBalancer | None:
        try:
            return await self._transport.get(
                LBAAS, f"/loadbalancers/{load_balancer_id}", "loadbalancer", LoadBalancer
            )
        except NotFound:
            return None

    async def create_load_balancer(self, owner: str, request: LoadBalancerRequest) -> LoadBalancer:
        async def find() -> LoadBalancer | None:
            found = await self.load_balancers_of(owner)
            return next((item for item in found if item.status != "PENDING_DELETE"), None)

        async def create() -> LoadBalancer:
            fields: dict[str, Any] = {"name": request.name, "tags": [owner_tag(owner)]}
            if request.zones:
                fields["zones"] = list(request.zones)
            if request.vip_address:
                fields["vip_address"] = request.vip_address
            return await self._transport.post(
                LBAAS, "/loadbalancers", "loadbalancer", fields, LoadBalancer
            )

        return await self._flights.run(("lb", owner), lambda: create_once(find, create))

    async def delete_load_balancer(self, load_balancer_id: str) -> bool:
        """Delete it with its listeners, pools and members; False when it is gone already."""
        return await self._transport.delete(
            LBAAS, f"/loadbalancers/{load_balancer_id}", {"cascade": "true"}
        )

    async def create_pool(
        self, load_balancer_id: str, name: str, monitor: HealthMonitor, algorithm: str
    ) -> Pool:
        """Make or find the load balancer's pool of this name."""

        async def find() -> Pool | None:
            pools = await self._children("pools", load_balancer_id, Pool)
            return next((pool for pool in pools if pool.name == name), None)

        async def create() -> Pool:
            fields = {
                "loadbalancer_id": load_balancer_id,
                "name": name,
                "algorithm": algorithm,
                "health_monitor": monitor.body(),
            }
            return await self._transport.post(LBAAS, "/pools", "pool", fields, Pool)

        key = ("pool", load_balancer_id, name)
        return await self._flights.run(key, lambda: create_once(find, create))

    async def create_listener(
        self, load_balancer_id: str, name: str, port: int, pool_id: str
    ) -> Listener:
        """Make or find the load balancer's listener on this TCP port."""

        async def find() -> Listener | None:
            listeners = await self._children("listeners", load_balancer_id, Listener)
            return next((item for item in listeners if item.port == port), None)

        async def create() -> Listener:
            fields = {
                "loadbalancer_id": load_balancer_id,
                "name": name,
                "protocol": "TCP",
                "port": port,
                "pool_id": pool_id,
            }
            return await self._transport.post(LBAAS, "/listeners", "listener", fields, Listener)

        key = ("listener", load_balancer_id, port)
        return await self._flights.run(key, lambda: create_once(find, create))

    async def members(self, pool_id: str) -> list[Member]:
        return await self._transport.list(LBAAS, f"/pools/{pool_id}/members", "members", Member)

    async def add_member(
        self, pool_id: str, name: str, address: str, port: int, zone: str | None = None
    ) -> Member:
        """Make or find the member with this address and port, which are unique in a pool."""

        async def find() -> Member | None:
            members = await self.members(pool_id)
            return next((m for m in members if (m.address, m.port) == (address, port)), None)

        async def create() -> Member:
            fields: dict[str, Any] = {"name": name, "address": address, "port": port}
            if zone:
                fields["zone"] = zone
            try:
                return await self._transport.post(
                    LBAAS, f"/pools/{pool_id}/members", "member", fields, Member
                )
            except Conflict:
                found = await find()
                if found is None:
                    raise
                return found

        key = ("member", pool_id, address, port)
        return await self._flights.run(key, lambda: create_once(find, create))

    async def set_member_state(self, pool_id: str, member_id: str, state: AdminState) -> bool:
        """Enable, drain or disable a member; False when it does not exist."""
        path = f"/pools/{pool_id}/members/{member_id}"
        try:
            await self._transport.request(
                LBAAS, "PATCH", path, body={"member": {"admin_state": state}}
            )
        except NotFound:
            return False
        return True

    async def remove_member(self, pool_id: str, member_id: str) -> bool:
        return await self._transport.delete(LBAAS, f"/pools/{pool_id}/members/{member_id}")

    async def quota(self) -> dict[str, int]:
        """The project's limits and use, as LBaaS names them."""
        answer = await self._transport.request(LBAAS, "GET", "/quota")
        return unwrap(answer, "quota", dict[str, int])

    async def _children(
        self, collection: str, load_balancer_id: str, model: type[msgspec.Struct]
    ) -> list[Any]:
        found: list[Any] = await self._transport.list(
            LBAAS, f"/{collection}", collection, model, {"loadbalancer_id": load_balancer_id}
        )
        return sorted(found, key=lambda item: str(item.id))
