"""What a request may ask for in a region: pure functions over the region's offer.

Form (types, patterns, ranges) is checked before, by the models. Here every name and id is held
against what the caller's own token sees in the cloud: what is foreign is not in the lists, so it
looks the same as what does not exist.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vks.resources.nodepool import NodePool, NodePoolSpec
from vks.service.api.auth import CallerCloud
from vks.service.api.findings import Findings
from vks.service.api.models import ClusterCreate
from vks.service.api.pool_checks import check_settings
from vks.service.api.pool_models import NodePoolCreate
from vks.service.api.pool_requests import initial_size, pool_spec
from vks.service.api.problems import FieldProblem, Problem, of_cloud
from vks.service.config import Limits as RequestLimits
from vks.verda.compute import Flavor, Keypair, Limits
from vks.verda.errors import CloudError
from vks.verda.image import Image
from vks.verda.network import Network


@dataclass(frozen=True)
class Offer:
    """What the caller's project can use in a region."""

    zones: tuple[str, ...]
    flavors: tuple[Flavor, ...]
    images: tuple[Image, ...]
    networks: tuple[Network, ...]
    keypairs: tuple[Keypair, ...]
    quota: Limits
    balancers: dict[str, int]

    def flavor(self, reference: str) -> Flavor | None:
        return next((f for f in self.flavors if reference in (f.id, f.name)), None)

    def image(self, reference: str) -> Image | None:
        return next((i for i in self.images if reference in (i.id, i.name)), None)

    @property
    def versions(self) -> dict[str, Image]:
        """The image for each Kubernetes version; of several the one with the highest name."""
        usable = [i for i in self.images if i.kubernetes_version and i.status == "active"]
        return {i.kubernetes_version: i for i in sorted(usable, key=lambda i: (i.name, i.id))}


async def read_offer(cloud: CallerCloud, zones: tuple[str, ...]) -> Offer:
    """Asks the cloud for all of it at once. Raises Problem."""
    try:
        flavors, images, networks, keypairs, quota, balancers = await asyncio.gather(
            cloud.flavors(),
            cloud.images(),
            cloud.networks(),
            cloud.keypairs(),
            cloud.limits(),
            cloud.load_balancers(),
        )
    except CloudError as error:
        raise of_cloud(error) from error
    return Offer(
        zones,
        tuple(flavors),
        tuple(images),
        tuple(networks),
        tuple(keypairs),
        quota,
        balancers,
    )


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
        _check_pool(f"nodePools.{index}.", pool, offer, limits, found)
    servers = [(plane.flavor, plane.replicas)]
    servers += [(pool.flavor, initial_size(pool)) for pool in request.node_pools]
    _check_quota(servers, offer, found)
    balancers = offer.balancers
    _check_limit(
        "loadBalancers",
        balancers.get("loadbalancers", -1),
        balancers.get("used_loadbalancers", 0),
        1,
        found,
    )
    more(found)
    found.settle()


def check_pool(
    request: NodePoolCreate, offer: Offer, limits: RequestLimits, more: Check = nothing_more
) -> None:
    """Raises Problem. `more` is checked before the findings are settled."""
    found = Findings()
    _check_pool("", request, offer, limits, found)
    _check_quota([(request.flavor, initial_size(request))], offer, found)
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
    if after.key_name != before.spec.key_name:
        check_key("keyName", after.key_name, offer, found)
    if after.zones != before.spec.zones:
        check_zones("zones", after.zones, offer, found)
    check_settings("", after, limits, found)
    found.settle()
    least = after.replicas if after.autoscaling is None else after.autoscaling.min
    check_growth("replicas", after.flavor, least - before.size, offer)


def check_growth(field: str, flavor: str, more: int, offer: Offer) -> None:
    """Whether `more` servers of a flavor still fit. Raises Problem that names `field`."""
    found = Findings()
    _check_quota([(flavor, more)], offer, found)
    if found.quota and more > 0:
        errors = [FieldProblem(field=field, message=problem.message) for problem in found.quota]
        raise Problem("quota_exceeded", "the project's quota is too small", errors=errors)


def quota_shortfalls(servers: Iterable[tuple[str, int]], offer: Offer) -> list[str]:
    """What is missing for that many more servers per flavor, one sentence per resource."""
    found = Findings()
    _check_quota(servers, offer, found)
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
    prefix: str, pool: NodePoolCreate, offer: Offer, limits: RequestLimits, found: Findings
) -> None:
    _check_servers(prefix.rstrip("."), pool.flavor, pool.image, pool.zones, offer, found)
    check_key(f"{prefix}keyName", pool.key_name, offer, found)
    if pool.replicas is None and pool.autoscaling is None:
        found.bad(f"{prefix}replicas", "is needed, or autoscaling")
    check_settings(prefix, pool_spec("", pool, "", offer.zones), limits, found)


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


def check_key(field: str, key: str | None, offer: Offer, found: Findings) -> None:
    if key is not None and all(known.name != key for known in offer.keypairs):
        found.unknown(field, f"unknown key pair {key!r}")


def _check_ranges(pods: str, services: str, found: Findings) -> None:
    pod_range, service_range = ipaddress.ip_network(pods), ipaddress.ip_network(services)
    if pod_range.prefixlen > 22:
        found.bad("network.podCidr", "too small: every node takes a /24 of it, /22 at least")
    if not 12 <= service_range.prefixlen <= 24:
        found.bad("network.serviceCidr", "must be between a /12 and a /24")
    if pod_range.overlaps(service_range):
        found.bad("network.serviceCidr", "overlaps network.podCidr")


def _check_quota(servers: Iterable[tuple[str, int]], offer: Offer, found: Findings) -> None:
    chosen = [(offer.flavor(name), count) for name, count in servers]
    known = [(flavor, count) for flavor, count in chosen if flavor is not None]
    quota = offer.quota
    for field, limit, used, wanted in (
        ("instances", quota.max_instances, quota.instances, sum(n for _, n in known)),
        ("cores", quota.max_cores, quota.cores, sum(f.vcpus * n for f, n in known)),
        ("ram", quota.max_ram, quota.ram, sum(f.ram * n for f, n in known)),
    ):
        _check_limit(field, limit, used, wanted, found)


def _check_limit(field: str, limit: int, used: int, wanted: int, found: Findings) -> None:
    if 0 <= limit < used + wanted:
        unit = " MiB" if field == "ram" else ""
        message = (
            f"{wanted}{unit} {field} wanted, {max(0, limit - used)}{unit} free "
            f"of {limit}{unit}: {used + wanted - limit}{unit} missing"
        )
        found.quota.append(FieldProblem(field=f"quota.{field}", message=message))
