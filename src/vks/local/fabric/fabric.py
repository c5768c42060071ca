"""The fabric: one network namespace with a bridge per network and a veth per plugged port.

A router as in Neutron: forwards within a network and along its pod routes, never between
networks, and knows no way out to the host. Every network has a routing table of its own, chosen
by the bridge that a packet came from, so that equal pod networks of two clusters do not meet.
Connections that the fabric's own programs accept (a load balancer's, from a pod) inherit the
mark of their network, and so are answered through its table too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from vks.local.fabric import names, netns, plugging
from vks.local.fabric.command import CommandError
from vks.local.fabric.inventory import assemble, surplus
from vks.local.fabric.kernel import POD_ROUTES, Kernel, Link
from vks.local.fabric.types import (
    FIRST_DEVICE,
    SERVICES_ADDRESS,
    FabricError,
    Inventory,
    Known,
    NetworkMissingError,
    Port,
)
from vks.local.instance import Instance

_FABRIC_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    # Pods of two nodes on one bridge go through the gateway: a redirect would be wrong.
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    # Pod addresses are only in their network's table, where the reverse check does not look.
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/tcp_fwmark_accept": "1",
}
_SERVER_SYSCTLS = {"net/ipv4/ip_forward": "1"}  # nodes forward for their pods

_NFT_TABLE = """\
add table ip vks
add map ip vks networks { type ifname : mark; }
add chain ip vks prerouting { type filter hook prerouting priority raw; policy accept; }
flush chain ip vks prerouting
add rule ip vks prerouting meta mark set iifname map @networks
"""


class Fabric:
    """Kernel networking of one instance. Every method may be repeated after any crash."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._kernel = Kernel(instance.fabric_netns, instance.run / "fabric.lock")

    def server_netns(self, server_id: str) -> str:
        """The name of the server's namespace, below /run/netns."""
        return names.server_netns(self._instance.fabric_netns, server_id)

    async def create(self) -> None:
        """Makes the fabric's namespace."""
        async with self._kernel.changing() as lock:
            await netns.add(self._instance.fabric_netns, _FABRIC_SYSCTLS, lock)
            await self._kernel.batch(
                ["link set lo up", f"addr replace {SERVICES_ADDRESS}/32 dev lo"]
            )
            await self._kernel.nft(_NFT_TABLE)

    async def destroy(self) -> None:
        """Removes every namespace of the instance. Programs inside must have been stopped."""
        async with self._kernel.changing() as lock:
            for name in sorted(netns.names(f"{self._instance.fabric_netns}.")):
                await netns.delete(name, lock)
            await netns.delete(self._instance.fabric_netns, lock)

    async def ensure_network(self, network_id: str, cidr: str, gateway: str) -> None:
        """Makes the network's bridge with its gateway address, and its routing table.

        Raises FabricError if the network exists with another subnet or gateway.
        """
        subnet = ipaddress.IPv4Network(cidr)
        wanted = names.NetworkAlias(names.checked_id(network_id), str(subnet), gateway)
        if ipaddress.IPv4Address(gateway) not in subnet:
            raise FabricError(f"gateway {gateway} is outside of {cidr}")
        bridge = names.bridge(network_id)
        async with self._kernel.changing():
            found = (await self._kernel.links()).get(bridge)
            if found and found.owner == wanted:
                return
            if found and found.owner:
                raise FabricError(f"network {network_id} exists with other addresses")
            await self._remove_network(network_id)
            await self._make_network(network_id, bridge, wanted, subnet.prefixlen)

    async def _make_network(
        self, network_id: str, bridge: str, alias: names.NetworkAlias, prefix: int
    ) -> None:
        table = names.table(network_id)
        reserved = names.interface(Port("", network_id, "", alias.gateway, prefix, None))
        await self._kernel.batch(
            [
                f"link add {bridge} address {names.bridge_mac(network_id)} "
                "type bridge forward_delay 0 stp_state 0 mcast_snooping 0",
                # No port can then have the gateway's address: its interface's name is taken.
                f"link property add dev {bridge} altname {reserved}",
                f"addr add {alias.gateway}/{prefix} dev {bridge}",
                f"link set {bridge} up",
                f"route add {alias.cidr} dev {bridge} table {table}",
                f"route add unreachable default table {table}",  # never into another network
                f"rule add iif {bridge} lookup {table}",
                f"rule add fwmark {table} lookup {table}",
            ]
        )
        element = f'element ip vks networks {{ "{bridge}" : {table} }}\n'
        await self._kernel.nft(_NFT_TABLE + f"add {element}")
        await self._kernel.batch([f"link set dev {bridge} alias {names.encode_alias(alias)}"])

    async def remove_network(self, network_id: str) -> None:
        """Removes bridge, table and rules. Raises FabricError while ports are plugged."""
        async with self._kernel.changing():
            for link in (await self._kernel.links()).values():
                if isinstance(link.owner, names.PortAlias) and link.owner.network == network_id:
                    raise FabricError(f"network {network_id}: port {link.owner.port} is plugged")
            await self._remove_network(network_id)

    async def _remove_network(self, network_id: str) -> None:
        bridge, table = names.bridge(network_id), names.table(network_id)
        await self._remove_tables({table})
        element = f'element ip vks networks {{ "{bridge}" : {table} }}\n'
        # adding what may be missing makes the deletion idempotent; it is one transaction
        await self._kernel.nft(f"{_NFT_TABLE}add {element}delete {element}")
        await self._remove_links([bridge])

    async def _remove_tables(self, tables: set[int]) -> None:
        rules = [rule for rule in await self._kernel.rule_tables() if rule[1] in tables]
        await self._kernel.batch(
            f"rule del {selector if selector != 'mark' else f'fwmark {table}'} lookup {table}"
            for selector, table in rules
        )
        for table in tables:
            await self._kernel.flush(table)

    async def set_routes(self, network_id: str, routes: Mapping[str, str]) -> None:
        """Makes `routes` ({destination CIDR: next hop}) the network's only extra routes."""
        wanted = {str(ipaddress.IPv4Network(cidr)): hop for cidr, hop in routes.items()}
        bridge, table = names.bridge(network_id), names.table(network_id)
        async with self._kernel.changing():
            found = (await self._kernel.pod_routes(table)).get(table, {})
            lines = [
                f"route del {cidr} table {table} proto {POD_ROUTES}"
                for cidr in found.keys() - wanted.keys()
            ]
            lines += [
                f"route replace {cidr} via {hop} dev {bridge} table {table} proto {POD_ROUTES}"
                for cidr, hop in sorted(wanted.items() - found.items())
            ]
            try:
                await self._kernel.batch(lines)
            except CommandError as error:
                if bridge not in await self._kernel.links():
                    raise NetworkMissingError(f"network {network_id}") from error
                raise FabricError(f"routes of network {network_id}: {error.stderr}") from error

    async def ensure_server_netns(self, server_id: str) -> None:
        """Makes the server's namespace, which its ports are plugged into."""
        async with self._kernel.changing() as lock:
            await netns.add(self.server_netns(server_id), _SERVER_SYSCTLS, lock)

    async def remove_server_netns(self, server_id: str) -> None:
        """Unplugs all ports of the server and removes its namespace."""
        async with self._kernel.changing() as lock:
            fabric = netns.exists(self._instance.fabric_netns)
            await self._remove_server(server_id, await self._kernel.links() if fabric else {}, lock)

    async def _remove_server(
        self, server_id: str, links: Mapping[str, Link], lock: Iterable[int]
    ) -> None:
        # Links first: the kernel frees a namespace, and its veths, some time after its removal.
        await self._remove_links(
            link.name
            for link in links.values()
            if isinstance(link.owner, names.PortAlias) and link.owner.server == server_id
        )
        await netns.delete(self.server_netns(server_id), lock)

    async def ensure_port(self, port: Port, server_id: str, device: str = FIRST_DEVICE) -> None:
        """Plugs the port into the server as `device`, with its MAC, address and gateway.

        The first device's gateway is the server's default route.
        Raises DuplicateAddressError, PortInUseError, NetworkMissingError, FabricError.
        """
        wanted = plugging.alias_of(port, server_id, device)
        async with self._kernel.changing() as lock:
            await netns.add(self.server_netns(server_id), _SERVER_SYSCTLS, lock)
            for last in (False, True):
                try:
                    await self._plug(port, server_id, device, wanted)
                    return
                except CommandError as error:
                    links = await self._kernel.links()
                    await self._remove_links(plugging.half_made(links, port))
                    obstacles = plugging.obstacles(links, port, wanted)
                    if obstacles is None:
                        return
                    await self._remove_links(obstacles)
                    if last:
                        raise FabricError(f"port {port.id}: {error.stderr}") from error

    async def _plug(self, port: Port, server_id: str, device: str, alias: names.PortAlias) -> None:
        interface, server = names.interface(port), self.server_netns(server_id)
        bridge, text = names.bridge(port.network_id), names.encode_alias(alias)
        await self._kernel.batch(
            [
                f"link add {interface} type veth peer name {device} address {port.mac} "
                f"netns {server}",
                f"link property add dev {interface} altname {names.port_altname(port.id)} "
                f"altname {names.mac_altname(port)}",
            ]
        )
        default = port.gateway is not None and device == FIRST_DEVICE
        await self._kernel.batch(
            [
                "link set lo up",
                f"addr add {port.address}/{port.prefix} dev {device}",
                f"link set {device} up",
                *([f"route replace default via {port.gateway} dev {device}"] if default else []),
            ],
            netns=server,
        )
        await self._kernel.batch([f"link set dev {interface} master {bridge} alias {text} up"])

    async def unplug_port(self, port_id: str) -> None:
        """Removes the port's interface; the port may then be plugged anywhere."""
        async with self._kernel.changing():
            await self._remove_links([names.port_altname(port_id)])

    async def _remove_links(self, links: Iterable[str]) -> None:
        for link in links:
            try:
                await self._kernel.batch([f"link del {link}"])
            except CommandError as error:
                if "Cannot find device" not in error.stderr:
                    raise

    async def ensure_vip(self, address: str) -> None:
        """Gives the fabric the address, reachable from every network."""
        async with self._kernel.changing():
            await self._kernel.batch([f"addr replace {ipaddress.IPv4Address(address)}/32 dev lo"])

    async def remove_vip(self, address: str) -> None:
        """Takes the address away. Not having it is a success."""
        async with self._kernel.changing():
            try:
                await self._kernel.batch([f"addr del {ipaddress.IPv4Address(address)}/32 dev lo"])
            except CommandError as error:
                if "Cannot assign requested address" not in error.stderr:
                    raise

    async def inventory(self) -> Inventory:
        """What exists for this instance, read from the kernel."""
        fabric = self._instance.fabric_netns
        namespaces = netns.names(f"{fabric}.")
        if not netns.exists(fabric):
            return assemble(fabric, namespaces, None, [], {})
        links = await self._kernel.links()
        rules = await self._kernel.rule_tables()
        return assemble(fabric, namespaces, links, rules, await self._kernel.pod_routes())

    async def reclaim(self, known: Known) -> list[str]:
        """Removes what belongs to this instance but is not known, and everything half-made.

        For the start of the cloud, after the server back end has deleted unknown servers: a
        namespace in use would live on without a name. Returns what was removed, in words.
        """
        unknown = surplus(await self.inventory(), known)
        async with self._kernel.changing() as lock:
            links = await self._kernel.links()
            for server_id in sorted(unknown.servers):
                await self._remove_server(server_id, links, lock)
            await self._remove_links(sorted(unknown.links))
            await self._remove_tables(unknown.tables)
            for network_id in sorted(unknown.networks):
                await self._remove_network(network_id)
        for address in sorted(unknown.vips):
            await self.remove_vip(address)
        return unknown.described()
