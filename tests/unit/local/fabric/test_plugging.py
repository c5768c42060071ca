from dataclasses import replace

import pytest

from vks.local.fabric import (
    DuplicateAddressError,
    FabricError,
    Known,
    NetworkMissingError,
    Port,
    PortInUseError,
    names,
)
from vks.local.fabric.inventory import assemble, surplus
from vks.local.fabric.kernel import Link
from vks.local.fabric.plugging import alias_of, half_made, obstacles

PORT = Port("port-1", "net-1", "fa:16:3e:00:00:01", "10.60.1.11", 24, "10.60.1.1")
WANTED = alias_of(PORT, "server-1", "eth0")
BRIDGE = Link(
    names.bridge("net-1"),
    frozenset(),
    names.NetworkAlias("net-1", "10.60.1.0/24", "10.60.1.1"),
    frozenset({"10.60.1.1"}),
)


def plugged(port: Port, server: str = "server-1", device: str = "eth0") -> Link:
    altnames = frozenset({names.port_altname(port.id), names.mac_altname(port)})
    return Link(names.interface(port), altnames, alias_of(port, server, device), frozenset())


def links(*found: Link) -> dict[str, Link]:
    return {link.name: link for link in (BRIDGE, *found)}


def test_a_port_plugged_as_wanted_is_left_alone() -> None:
    assert obstacles(links(plugged(PORT)), PORT, WANTED) is None


def test_another_ports_address_or_mac_is_refused() -> None:
    for other in (
        replace(PORT, id="port-2", mac="fa:16:3e:00:00:02"),
        replace(PORT, id="port-2", address="10.60.1.12"),
    ):
        with pytest.raises(DuplicateAddressError, match="port-2"):
            obstacles(links(plugged(other, "server-2")), PORT, WANTED)


def test_the_gateways_address_is_refused() -> None:
    port = replace(PORT, address="10.60.1.1")
    with pytest.raises(DuplicateAddressError, match="gateway"):
        obstacles(links(), port, alias_of(port, "server-1", "eth0"))


def test_a_port_in_another_server_is_refused() -> None:
    with pytest.raises(PortInUseError, match="server-2"):
        obstacles(links(plugged(PORT, "server-2")), PORT, WANTED)


def test_a_port_needs_its_network() -> None:
    with pytest.raises(NetworkMissingError):
        obstacles({}, PORT, WANTED)


def test_an_earlier_shape_of_the_same_port_makes_way() -> None:
    earlier = plugged(replace(PORT, address="10.60.1.99"))
    assert obstacles(links(earlier), PORT, WANTED) == [earlier.name]


def test_a_link_without_owner_is_half_made_and_counted_as_stray() -> None:
    half = Link(names.interface(PORT), frozenset(), None, frozenset())
    assert half_made(links(half), PORT) == [half.name]
    inventory = assemble("vks-a", set(), links(half), [], {})
    assert inventory.strays == (f"link {half.name}",)
    assert surplus(inventory, Known(networks=frozenset({"net-1"}))).links == {half.name}


def test_aliases_survive_the_kernel_and_foreign_ones_are_nobodys() -> None:
    assert names.decode_alias(names.encode_alias(WANTED)) == WANTED
    assert names.decode_alias("a description") is None
    assert names.decode_alias(None) is None


def test_names_fit_the_kernel() -> None:
    assert len(names.interface(PORT)) <= 15
    assert len(names.bridge("n" * 50)) <= 15
    assert names.table("net-1") > 255
    with pytest.raises(FabricError):
        names.checked_id("../etc")
