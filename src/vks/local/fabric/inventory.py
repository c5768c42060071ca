"""Makes an inventory of what the kernel shows, and says what of it nobody owns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vks.local.fabric import names
from vks.local.fabric.kernel import Link
from vks.local.fabric.types import SERVICES_ADDRESS, Inventory, Known, PluggedPort


def assemble(
    fabric: str,
    namespaces: Iterable[str],
    links: Mapping[str, Link] | None,
    rules: Iterable[tuple[str, int]],
    pod_routes: Mapping[int, Mapping[str, str]],
) -> Inventory:
    """The inventory of the instance with that fabric namespace; `links` is None without one."""
    networks: dict[str, str] = {}
    ports: list[PluggedPort] = []
    strays: list[str] = []
    vips: set[str] = set()
    for link in (links or {}).values():
        match link.owner:
            case names.NetworkAlias(network=network):
                networks[network] = link.name
            case names.PortAlias() as owner:
                ports.append(
                    PluggedPort(owner.port, owner.network, owner.address, owner.server, link.name)
                )
            case None if link.name == "lo":
                own = ("127.", SERVICES_ADDRESS)
                vips = {address for address in link.addresses if not address.startswith(own)}
            case None:
                strays.append(f"link {link.name}")
    tables = {names.table(network): network for network in networks}
    numbers = {table for _, table in rules} | pod_routes.keys()
    strays += [f"table {number}" for number in sorted(numbers - tables.keys())]
    return Inventory(
        fabric=links is not None,
        servers=frozenset(name.removeprefix(f"{fabric}.") for name in namespaces),
        networks=networks,
        ports=tuple(sorted(ports, key=lambda port: port.id)),
        vips=frozenset(vips),
        routes={
            network: dict(pod_routes[table])
            for table, network in tables.items()
            if table in pod_routes
        },
        strays=tuple(strays),
    )


@dataclass(frozen=True, slots=True)
class Surplus:
    """What exists and should not."""

    servers: set[str]
    links: set[str]  # interface names: unknown ports and half-made links
    tables: set[int]
    networks: set[str]
    vips: set[str]

    def described(self) -> list[str]:
        """One line per thing, for the log."""
        kinds: list[tuple[str, set[str]]] = [
            ("server namespace", self.servers),
            ("link", self.links),
            ("table", {str(table) for table in self.tables}),
            ("network", self.networks),
            ("vip", self.vips),
        ]
        return [f"{kind} {name}" for kind, found in kinds for name in sorted(found)]


def surplus(inventory: Inventory, known: Known) -> Surplus:
    """Everything in the inventory that is not known."""
    strays = [stray.split(" ", 1) for stray in inventory.strays]
    ports = {port.interface for port in inventory.ports if port.id not in known.ports}
    return Surplus(
        servers=set(inventory.servers - known.servers),
        links=ports | {name for kind, name in strays if kind == "link"},
        tables={int(name) for kind, name in strays if kind == "table"},
        networks=inventory.networks.keys() - known.networks,
        vips=set(inventory.vips - known.vips),
    )
