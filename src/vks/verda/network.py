"""Neutron: networks, subnets, routers, ports and security groups.

Neutron has no unique names and sets tags only by a second call, so the owner is written in the
`description`, which the creating call sets and lists can be filtered by (see `vks.verda.owner`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from vks.verda.errors import Conflict, InvalidRequest, NotFound
from vks.verda.once import Flights, create_once
from vks.verda.owner import owner_tag
from vks.verda.transport import Service, Transport, unwrap

NETWORK = Service("network", version="v2.0")

T = TypeVar("T")


class Network(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    status: str = ""
    project_id: str = ""
    shared: bool = False
    external: bool = msgspec.field(name="router:external", default=False)
    subnets: tuple[str, ...] = ()
    description: str = ""


class Subnet(msgspec.Struct, frozen=True):
    id: str
    network_id: str
    cidr: str
    name: str = ""
    ip_version: int = 4
    gateway_ip: str | None = None
    description: str = ""


class SubnetPool(msgspec.Struct, frozen=True):
    id: str
    prefixes: tuple[str, ...] = ()
    ip_version: int = 4


class Usage(msgspec.Struct, frozen=True):
    """A quota and what is taken of it; a limit of -1 is none."""

    limit: int = -1
    used: int = 0
    reserved: int = 0


class Route(msgspec.Struct, frozen=True):
    destination: str
    nexthop: str


class Router(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    routes: tuple[Route, ...] = ()
    description: str = ""


class FixedIP(msgspec.Struct, frozen=True):
    ip_address: str
    subnet_id: str = ""


class Port(msgspec.Struct, frozen=True):
    id: str
    network_id: str
    name: str = ""
    status: str = ""
    mac_address: str = ""
    fixed_ips: tuple[FixedIP, ...] = ()
    device_id: str = ""
    device_owner: str = ""
    security_groups: tuple[str, ...] = ()
    description: str = ""

    @property
    def ip(self) -> str:
        return self.fixed_ips[0].ip_address if self.fixed_ips else ""


class Rule(NamedTuple):
    """A security group rule, `protocol` None meaning any. Ingress and IPv4."""

    protocol: str | None = None
    port: int | None = None
    remote_group_id: str | None = None
    remote_cidr: str | None = None


class GroupRule(msgspec.Struct, frozen=True):
    """A rule as Neutron shows it."""

    direction: str = ""
    protocol: str | None = None
    port_range_min: int | None = None
    remote_group_id: str | None = None
    remote_ip_prefix: str | None = None

    @property
    def rule(self) -> Rule:
        return Rule(self.protocol, self.port_range_min, self.remote_group_id, self.remote_ip_prefix)


class SecurityGroup(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    description: str = ""
    security_group_rules: tuple[GroupRule, ...] = ()

    def allows(self, rule: Rule) -> bool:
        """Whether the group has this rule already."""
        return any(
            known.direction == "ingress" and known.rule == rule
            for known in self.security_group_rules
        )


class PortRequest(NamedTuple):
    name: str
    network_id: str
    subnet_id: str
    security_group_ids: tuple[str, ...] = ()
    #: Other sources that the port may send from: the cluster's pods.
    allowed_cidrs: tuple[str, ...] = ()
    ip_address: str | None = None
    mac_address: str | None = None


class NetworkClient:
    """Every method raises CloudError. `create_*` make the owner's one thing of the kind, or find
    it (a `name` only describes)."""

    def __init__(self, transport: Transport, flights: Flights) -> None:
        self._transport = transport
        self._flights = flights

    async def networks(self) -> list[Network]:
        """All networks that the project may use: its own and shared ones."""
        return await self._transport.list(NETWORK, "/networks", "networks", Network)

    async def network(self, network_id: str) -> Network:
        return await self._transport.get(NETWORK, f"/networks/{network_id}", "network", Network)

    async def networks_of(self, owner: str) -> list[Network]:
        return await self._owned("networks", owner, Network)

    async def create_network(self, owner: str, name: str) -> Network:
        return await self._create("network", owner, {"name": name}, Network)

    async def delete_network(self, network_id: str) -> bool:
        return await self._transport.delete(NETWORK, f"/networks/{network_id}")

    async def subnets(self, network_id: str) -> list[Subnet]:
        return await self._transport.list(
            NETWORK, "/subnets", "subnets", Subnet, {"network_id": network_id}
        )

    async def subnet(self, subnet_id: str) -> Subnet:
        return await self._transport.get(NETWORK, f"/subnets/{subnet_id}", "subnet", Subnet)

    async def create_subnet(
        self, owner: str, name: str, network_id: str, cidr: str | None = None
    ) -> Subnet:
        """Without `cidr` the range comes from the project's default subnet pool."""
        fields: dict[str, Any] = {"name": name, "network_id": network_id, "ip_version": 4}
        fields |= {"cidr": cidr} if cidr else {"use_default_subnetpool": True}
        return await self._create("subnet", owner, fields, Subnet)

    async def default_pool(self) -> SubnetPool | None:
        """The pool that IPv4 subnets without a range of their own come from."""
        params = {"is_default": "true"}
        pools = await self._transport.list(
            NETWORK, "/subnetpools", "subnetpools", SubnetPool, params
        )
        return next((pool for pool in pools if pool.ip_version == 4), None)

    async def quota(self, project_id: str) -> dict[str, Usage]:
        """The project's quotas and their use, by Neutron's names (`port`, `security_group` …)."""
        path = f"/quotas/{project_id}/details"
        return await self._transport.get(NETWORK, path, "quota", dict[str, Usage])

    async def router(self, router_id: str) -> Router:
        return await self._transport.get(NETWORK, f"/routers/{router_id}", "router", Router)

    async def routers_of(self, owner: str) -> list[Router]:
        return await self._owned("routers", owner, Router)

    async def create_router(self, owner: str, name: str) -> Router:
        return await self._create("router", owner, {"name": name}, Router)

    async def add_router_interface(self, router_id: str, subnet_id: str) -> None:
        """Plug the router into the subnet; it may already be."""
        try:
            await self._put(f"/routers/{router_id}/add_router_interface", {"subnet_id": subnet_id})
        except (Conflict, InvalidRequest):
            plugged = await self.ports(device_id=router_id)
            if not any(ip.subnet_id == subnet_id for port in plugged for ip in port.fixed_ips):
                raise

    async def remove_router_interface(self, router_id: str, subnet_id: str) -> None:
        """Unplug the router; it may already be."""
        try:
            await self._put(
                f"/routers/{router_id}/remove_router_interface", {"subnet_id": subnet_id}
            )
        except NotFound:
            return

    async def delete_router(self, router_id: str) -> bool:
        return await self._transport.delete(NETWORK, f"/routers/{router_id}")

    async def add_routes(self, router_id: str, routes: Sequence[Route]) -> Router:
        """Add extra routes in one atomic step; those that exist are left as they are."""
        return await self._routes("add_extraroutes", router_id, routes)

    async def remove_routes(self, router_id: str, routes: Sequence[Route]) -> Router:
        """Remove extra routes in one atomic step; those that are gone do not matter."""
        return await self._routes("remove_extraroutes", router_id, routes)

    async def ports(self, **filters: str) -> list[Port]:
        """The ports that match, for example `device_id=…` or `network_id=…`."""
        return await self._transport.list(NETWORK, "/ports", "ports", Port, filters)

    async def port(self, port_id: str) -> Port:
        return await self._transport.get(NETWORK, f"/ports/{port_id}", "port", Port)

    async def ports_of(self, owner: str) -> list[Port]:
        return await self._owned("ports", owner, Port)

    async def create_port(self, owner: str, request: PortRequest) -> Port:
        fixed_ip = {"subnet_id": request.subnet_id}
        if request.ip_address:
            fixed_ip["ip_address"] = request.ip_address
        fields: dict[str, Any] = {
            "name": request.name,
            "network_id": request.network_id,
            "fixed_ips": [fixed_ip],
            "security_groups": list(request.security_group_ids),
            "allowed_address_pairs": [{"ip_address": cidr} for cidr in request.allowed_cidrs],
        }
        if request.mac_address:
            fields["mac_address"] = request.mac_address
        return await self._create("port", owner, fields, Port)

    async def delete_port(self, port_id: str) -> bool:
        return await self._transport.delete(NETWORK, f"/ports/{port_id}")

    async def security_groups_of(self, owner: str) -> list[SecurityGroup]:
        return await self._owned("security_groups", owner, SecurityGroup)

    async def create_security_group(self, owner: str, name: str) -> SecurityGroup:
        return await self._create("security_group", owner, {"name": name}, SecurityGroup)

    async def delete_security_group(self, group_id: str) -> bool:
        return await self._transport.delete(NETWORK, f"/security-groups/{group_id}")

    async def allow(self, group_id: str, rule: Rule) -> None:
        """Let traffic in; the rule may already be there (Neutron keeps rules unique)."""
        fields: dict[str, Any] = {
            "security_group_id": group_id,
            "direction": "ingress",
            "ethertype": "IPv4",
            "protocol": rule.protocol,
            "port_range_min": rule.port,
            "port_range_max": rule.port,
            "remote_group_id": rule.remote_group_id,
            "remote_ip_prefix": rule.remote_cidr,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            await self._transport.request(
                NETWORK, "POST", "/security-group-rules", body={"security_group_rule": given}
            )
        except Conflict:
            return

    async def _owned(self, collection: str, owner: str, model: type[T]) -> list[T]:
        path = "/" + collection.replace("_", "-")
        found = await self._transport.list(
            NETWORK, path, collection, model, {"description": owner_tag(owner)}
        )
        return sorted(found, key=lambda item: item.id)  # type: ignore[attr-defined]

    async def _create(self, kind: str, owner: str, fields: dict[str, Any], model: type[T]) -> T:
        async def find() -> T | None:
            found = await self._owned(f"{kind}s", owner, model)
            return found[0] if found else None

        async def create() -> T:
            path = f"/{kind.replace('_', '-')}s"
            body = {**fields, "description": owner_tag(owner)}
            return await self._transport.post(NETWORK, path, kind, body, model)

        return await self._flights.run((kind, owner), lambda: create_once(find, create))

    async def _routes(self, action: str, router_id: str, routes: Sequence[Route]) -> Router:
        body = {"router": {"routes": list(routes)}}
        answer = await self._transport.request(
            NETWORK, "PUT", f"/routers/{router_id}/{action}", body=body
        )
        return unwrap(answer, "router", Router)

    async def _put(self, path: str, body: dict[str, Any]) -> None:
        await self._transport.request(NETWORK, "PUT", path, body=body)
