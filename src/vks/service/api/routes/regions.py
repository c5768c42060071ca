"""Regions and what they offer."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path

from vks.service.api import models
from vks.service.api.context import CallerIn, ServicesIn, visible
from vks.service.api.offer import read_offer
from vks.service.api.problems import Problem, of_cloud
from vks.verda.errors import CloudError

router = APIRouter(tags=["regions"])


@router.get("/regions", operation_id="listRegions")
async def list_regions(found: ServicesIn, caller: CallerIn) -> models.Page[models.RegionView]:
    """The regions that the token is valid in."""
    return models.Page[models.RegionView](
        items=[
            models.RegionView(
                name=region.name,
                zones=list(region.config.zones),
                identity_url=region.config.identity_url,
            )
            for region in visible(found, caller)
        ]
    )


@router.get("/regions/{region}/options", operation_id="getOptions")
async def get_options(
    found: ServicesIn, caller: CallerIn, region: Annotated[str, Path(max_length=255)]
) -> models.OptionsView:
    """What a cluster in this region can be made of, for the token's project."""
    chosen = next((r for r in visible(found, caller) if r.name == region), None)
    if chosen is None:
        raise Problem("not_found", f"there is no region {region!r}")
    cloud = caller.clouds[region]
    offer = await read_offer(cloud, chosen.config.zones)
    try:
        subnets = await asyncio.gather(*(cloud.subnets(network.id) for network in offer.networks))
    except CloudError as error:
        raise of_cloud(error) from error
    return models.OptionsView(
        region=region,
        zones=list(offer.zones),
        versions=[
            models.VersionView(version=version, image=image.id)
            for version, image in sorted(offer.versions.items())
        ],
        flavors=[
            models.FlavorView(id=f.id, name=f.name, vcpus=f.vcpus, ram_mb=f.ram, disk_gb=f.disk)
            for f in offer.flavors
        ],
        images=[
            models.ImageView(id=i.id, name=i.name, kubernetes_version=i.kubernetes_version or None)
            for i in offer.images
        ],
        networks=[
            models.NetworkView(
                id=network.id,
                name=network.name,
                shared=network.shared,
                subnets=[subnet.cidr for subnet in own],
            )
            for network, own in zip(offer.networks, subnets, strict=True)
        ],
        keypairs=[models.KeypairView(name=k.name) for k in offer.keypairs],
        control_plane_replicas=[1, 3, 5, 7],
        limits=models.LimitsView(
            max_node_pools=found.config.limits.max_node_pools,
            max_pool_replicas=found.config.limits.max_pool_replicas,
        ),
    )
