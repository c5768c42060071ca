"""Pure: the routes by which pods on different nodes reach each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

from vks.resources.core import Node
from vks.verda.network import Route


class RouteChange(NamedTuple):
    add: list[Route]
    remove: list[Route]


def desired_routes(nodes: Iterable[Node]) -> list[Route]:
    """One route per podCIDR, to its node's first internal address."""
    routes = []
    for node in nodes:
        address = next((a.address for a in node.status.addresses if a.type == "InternalIP"), None)
        if address is None or node.deleting:
            continue
        cidrs = node.spec.pod_cidrs or ((node.spec.pod_cidr,) if node.spec.pod_cidr else ())
        routes += [Route(destination=cidr, nexthop=address) for cidr in cidrs]
    return sorted(routes, key=lambda route: (route.destination, route.nexthop))


def route_change(
    wanted: Iterable[Route], present: Iterable[Route], pod_cidrs: tuple[str, ...]
) -> RouteChange:
    """What to add and to remove. Only routes into the cluster's pod ranges are ours to remove:
    the router may be shared with other clusters and with people."""
    wanted, present = set(wanted), set(present)
    ranges = [ipaddress.ip_network(cidr) for cidr in pod_cidrs]
    stale = [route for route in present - wanted if _inside(route.destination, ranges)]
    return RouteChange(_sorted(wanted - present), _sorted(stale))


def _inside(destination: str, ranges: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    network = ipaddress.ip_network(destination, strict=False)
    return any(
        network.version == known.version and network.subnet_of(known)  # type: ignore[arg-type]
        for known in ranges
    )


def _sorted(routes: Iterable[Route]) -> list[Route]:
    return sorted(routes, key=lambda route: (route.destination, route.nexthop))
