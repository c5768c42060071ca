"""What a request may ask for in a region: pure functions over the region's offer.

Form (types, patterns, ranges) is checked before, by the models. Here every name and id is held
against what the caller's own token sees in the cloud (`vks.service.api.offer`).
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from vks.resources.nodepool import NodePool, NodePoolSpec, RootVolumeSpec
from vks.service.api.findings import Findings
from vks.service.api.models import ClusterCreate, NetworkCreate
from vks.service.api.offer import Offer
from vks.service.api.pool_checks import check_settings
from vks.service.api.pool_models import NodePoolCreate
from vks.service.api.pool_requests import initial_size, pool_spec
from vks.service.api.problems import FieldProblem, Problem
from vks.service.api.sshkeys import public_key
from vks.service.config import Limits as RequestLimits
from vks.verda.image import Image

#: Server groups of a cluster: one per role.
_SERVER_GROUPS = 2


Check = Callable[[Findings], None]


def nothing_more(_: Findings) -> None:
    """No check beside the usual ones."""


def check_cluster(
    request: ClusterCreate, offer: Offer, limits: RequestLimits, more: Check = nothing_more
) -> None:
    """Raises Problem. `more` is checked before the findings are settled."""
    found = Findings()
    plane = request.control_plane
    if request.version not in offer.versions:
        known = ", ".join(sorted(offer.versions)) or "none"
        found.bad("version", f"unknown version {request.version!r}; offered: {known}")
    _check_servers("controlPlane", plane.flavor, plane.image, plane.zones, offer, found)
    network = request.network
    if network.network_id is not None and all(n.id != network.network_id for n in offer.networks):
        found.unknown("network.networkId", f"unknown network {network.network_id!r}")
    _check_ranges(network.pod_cidr, network.service_cidr, found)
    check_key("keyName", request.key_name, offer, found)
    if len(request.node_pools) > limits.max_node_pools:
        found.bad("nodePools", f"at most {limits.max_node_pools}")
    names = Counter(pool.name for pool in request.node_pools)
    for index, pool in enumerate(request.node_pools):
        if names[pool.name] > 1:
            found.bad(f"nodePools.{index}.name", f"two pools are called {pool.name!r}")
        _check_pool(f"nodePools.{index}.", pool, request.version, offer, limits, found)
    servers = [(plane.flavor, plane.replicas)]
    servers += [(pool.flavor, initial_size(pool)) for pool in request.node_pools]
    wanted = _of_servers(servers, offer) | {
        "loadBalancers": 1,
        "serverGroups": _SERVER_GROUPS,
        "securityGroups": 1,
    }
    if network.network_id is None:
        wanted |= {"networks": 1, "subnets": 1, "routers": 1}
        wanted["ports"] += 1  # the router's
    _check_quotas(wanted, offer, found)
    more(found)
    found.settle()


def check_ranges(network: NetworkCreate, ranges: Sequence[str]) -> None:
    """Whether pods and services stay clear of `ranges`, which servers have or may get addresses
    of: a pod route would hide a server behind it. Raises Problem."""
    found = Findings()
    if network.network_id is not None and not ranges:
        found.bad("network.networkId", "the network has no IPv4 subnet")
    for field, text in (("podCidr", network.pod_cidr), ("serviceCidr", network.service_cidr)):
        cidr = ipaddress.ip_network(text)
        for taken in ranges:
            if cidr.overlaps(ipaddress.ip_network(taken)):
                found.bad(f"network.{field}", f"overlaps the servers' network {taken}")
                break
    found.settle()


def check_pool(
    request: NodePoolCreate,
    version: str,
    offer: Offer,
    limits: RequestLimits,
    more: Check = nothing_more,
) -> None:
    """Raises Problem. `version` is the cluster's; `more` is checked before the findings are
    settled."""
    found = Findings()
    _check_pool("", request, version, offer, limits, found)
    _check_quotas(_of_servers([(request.flavor, initial_size(request))], offer), offer, found)
    more(found)
    found.settle()


def check_change(
    before: NodePool,
    after: NodePoolSpec,
    offer: Offer,
    limits: RequestLimits,
    found: Findings,
) -> None:
    """Whether a pool may become `after`; what does not change is not held against the region's
    offer, which may have lost it meanwhile. `found` may hold findings. Raises Problem."""
    if after.flavor != before.spec.flavor:
        check_flavor("flavor", after.flavor, offer, found)
    if after.image != before.spec.image:
        check_image("image", after.image, offer, found)
    key = (before.spec.key_name, before.spec.ssh_public_key)
    if (after.key_name, after.ssh_public_key) != key:
        check_key("keyName", after.key_name, offer, found)
    if (after.root_volume, after.image) != (before.spec.root_volume, before.spec.image):
        check_root("rootVolume", after.root_volume, offer.image(after.image), found)
    if after.zones != before.spec.zones:
        check_zones("zones", after.zones, offer, found)
    check_settings("", after, limits, found)
    found.settle()
    least = after.replicas if after.autoscaling is None else after.autoscaling.min
    check_growth("replicas", after.flavor, least - before.size, offer)


def check_growth(field: str, flavor: str, more: int, offer: Offer) -> None:
    """Whether `more` servers of a flavor still fit. Raises Problem that names `field`."""
    found = Findings()
    _check_quotas(_of_servers([(flavor, more)], offer), offer, found)
    if found.quota and more > 0:
        errors = [FieldProblem(field=field, message=problem.message) for problem in found.quota]
        raise Problem("quota_exceeded", "the project's quota is too small", errors=errors)


def quota_shortfalls(servers: Iterable[tuple[str, int]], offer: Offer) -> list[str]:
    """What is missing for that many more servers per flavor, one sentence per resource."""
    found = Findings()
    _check_quotas(_of_servers(servers, offer), offer, found)
    return [problem.message for problem in found.quota]


def check_zones(field: str, zones: Iterable[str], offer: Offer, found: Findings) -> None:
    seen: set[str] = set()
    for index, zone in enumerate(zones):
        if zone not in offer.zones:
            known = ", ".join(offer.zones)
            found.bad(f"{field}.{index}", f"the region has no zone {zone!r}; zones: {known}")
        if zone in seen:
            found.bad(f"{field}.{index}", f"zone {zone!r} is named twice")
        seen.add(zone)


def _check_pool(
    prefix: str,
    pool: NodePoolCreate,
    version: str,
    offer: Offer,
    limits: RequestLimits,
    found: Findings,
) -> None:
    _check_servers(prefix.rstrip("."), pool.flavor, pool.image, pool.zones, offer, found)
    check_key(f"{prefix}keyName", pool.key_name, offer, found)
    if pool.replicas is None and pool.autoscaling is None:
        found.bad(f"{prefix}replicas", "is needed, or autoscaling")
    spec = pool_spec("", pool, "", offer.zones)
    image = offer.image(pool.image) if pool.image else offer.versions.get(version)
    check_root(f"{prefix}rootVolume", spec.root_volume, image, found)
    check_settings(prefix, spec, limits, found)


def _check_servers(
    prefix: str,
    flavor: str,
    image: str | None,
    zones: Iterable[str],
    offer: Offer,
    found: Findings,
) -> None:
    dot = f"{prefix}." if prefix else ""
    check_flavor(f"{dot}flavor", flavor, offer, found)
    if image is not None:
        check_image(f"{dot}image", image, offer, found)
    check_zones(f"{dot}zones", zones, offer, found)


def check_flavor(field: str, flavor: str, offer: Offer, found: Findings) -> None:
    if offer.flavor(flavor) is None:
        known = ", ".join(sorted(f.name for f in offer.flavors))
        found.bad(field, f"unknown flavor {flavor!r}; offered: {known}")


def check_image(field: str, image: str, offer: Offer, found: Findings) -> None:
    if offer.image(image) is None:
        found.unknown(field, f"unknown image {image!r}")


def check_root(
    field: str, root: RootVolumeSpec | None, image: Image | None, found: Findings
) -> None:
    """Whether the image fits on the root volume."""
    if image is not None and root is not None and root.size_gib < image.min_disk:
        found.bad(f"{field}.sizeGiB", f"image {image.name} needs {image.min_disk} GiB")


def check_key(field: str, key: str | None, offer: Offer, found: Findings) -> None:
    if key is None:
        return
    pair = offer.keypair(key)
    if pair is None:
        found.unknown(field, f"unknown key pair {key!r}")
        return
    try:
        public_key(pair)
    except ValueError as error:
        found.bad(field, f"key pair {key!r} {error}")


def _check_ranges(pods: str, services: str, found: Findings) -> None:
    pod_range, service_range = ipaddress.ip_network(pods), ipaddress.ip_network(services)
    if pod_range.prefixlen > 22:
        found.bad("network.podCidr", "too small: every node takes a /24 of it, /22 at least")
    if not 12 <= service_range.prefixlen <= 24:
        found.bad("network.serviceCidr", "must be between a /12 and a /24")
    if pod_range.overlaps(service_range):
        found.bad("network.serviceCidr", "overlaps network.podCidr")


def _of_servers(servers: Iterable[tuple[str, int]], offer: Offer) -> dict[str, int]:
    """What servers of these flavors take of the quotas, a port each."""
    chosen = [(offer.flavor(name), count) for name, count in servers]
    known = [(flavor, count) for flavor, count in chosen if flavor is not None]
    return {
        "instances": sum(count for _, count in known),
        "cores": sum(flavor.vcpus * count for flavor, count in known),
        "ram": sum(flavor.ram * count for flavor, count in known),
        "ports": sum(count for _, count in known),
    }


def _check_quotas(wanted: Mapping[str, int], offer: Offer, found: Findings) -> None:
    for name, more in wanted.items():
        limit, used = offer.quotas[name].limit, offer.quotas[name].used
        if 0 <= limit < used + more:
            unit = " MiB" if name == "ram" else ""
            message = (
                f"{more}{unit} {name} wanted, {max(0, limit - used)}{unit} free "
                f"of {limit}{unit}: {used + more - limit}{unit} missing"
            )
            found.quota.append(FieldProblem(field=f"quota.{name}", message=message))
