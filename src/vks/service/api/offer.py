"""What a caller's project can use in a region, read with the caller's own token.

What is foreign is not in it, so that it looks the same as what does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from vks.service.api.auth import CallerCloud
from vks.service.api.problems import of_cloud
from vks.verda.compute import Flavor, Keypair
from vks.verda.errors import CloudError
from vks.verda.image import Image
from vks.verda.network import Network, Usage


@dataclass(frozen=True)
class Offer:
    """What the caller's project can use in a region.

    `quotas` are limit and use by the names that problems show; `pool_ranges` is where a network
    of the cluster's own gets its range from.
    """

    zones: tuple[str, ...]
    flavors: tuple[Flavor, ...]
    images: tuple[Image, ...]
    networks: tuple[Network, ...]
    keypairs: tuple[Keypair, ...]
    quotas: Mapping[str, Usage]
    pool_ranges: tuple[str, ...]

    def flavor(self, reference: str) -> Flavor | None:
        return next((f for f in self.flavors if reference in (f.id, f.name)), None)

    def image(self, reference: str) -> Image | None:
        return next((i for i in self.images if reference in (i.id, i.name)), None)

    def keypair(self, name: str) -> Keypair | None:
        return next((pair for pair in self.keypairs if pair.name == name), None)

    @property
    def versions(self) -> dict[str, Image]:
        """The image for each Kubernetes version; of several the one with the highest name."""
        usable = [i for i in self.images if i.kubernetes_version and i.status == "active"]
        return {i.kubernetes_version: i for i in sorted(usable, key=lambda i: (i.name, i.id))}


async def read_offer(cloud: CallerCloud, zones: tuple[str, ...]) -> Offer:
    """Asks the cloud for all of it at once. Raises Problem."""
    try:
        (flavors, images, networks, keypairs), ranges, quotas = await asyncio.gather(
            asyncio.gather(cloud.flavors(), cloud.images(), cloud.networks(), cloud.keypairs()),
            cloud.pool_ranges(),
            read_quotas(cloud),
        )
    except CloudError as error:
        raise of_cloud(error) from error
    return Offer(
        zones,
        tuple(flavors),
        tuple(images),
        tuple(networks),
        tuple(keypairs),
        quotas,
        tuple(ranges),
    )


async def read_quotas(cloud: CallerCloud) -> dict[str, Usage]:
    """The project's quotas by the names that problems show. Raises Problem."""
    try:
        compute, network, balancers = await asyncio.gather(
            cloud.limits(), cloud.network_quota(), cloud.load_balancers()
        )
    except CloudError as error:
        raise of_cloud(error) from error
    return {
        "instances": Usage(limit=compute.max_instances, used=compute.instances),
        "cores": Usage(limit=compute.max_cores, used=compute.cores),
        "ram": Usage(limit=compute.max_ram, used=compute.ram),
        "serverGroups": Usage(limit=compute.max_server_groups, used=compute.server_groups),
        "loadBalancers": Usage(
            limit=balancers.get("loadbalancers", -1), used=balancers.get("used_loadbalancers", 0)
        ),
        "networks": network.get("network", Usage()),
        "subnets": network.get("subnet", Usage()),
        "routers": network.get("router", Usage()),
        "securityGroups": network.get("security_group", Usage()),
        "ports": network.get("port", Usage()),
    }


async def read_ranges(cloud: CallerCloud, network_id: str | None, offer: Offer) -> list[str]:
    """The ranges that servers on the network may have addresses of. Raises Problem."""
    if network_id is None:
        return [*offer.pool_ranges]
    try:
        subnets = await cloud.subnets(network_id)
    except CloudError as error:
        raise of_cloud(error) from error
    return [subnet.cidr for subnet in subnets if subnet.ip_version == 4]
