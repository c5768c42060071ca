"""What a fresh cloud holds before anybody uses it: service accounts, catalog, zones, flavors."""

from __future__ import annotations

from openstack.connection import Connection
from tests.support.openstack.database import SERVICE_TYPES
from tests.support.openstack.layout import (
    ADMIN_PASSWORD,
    REGION,
    SERVICE_PASSWORD,
    ZONES,
    Layout,
)
from tests.support.openstack.render import compute_hosts

#: name -> (vCPUs, MiB, GiB)
FLAVORS: dict[str, tuple[int, int, int]] = {"small": (2, 2048, 20), "medium": (4, 8192, 40)}
IMAGE = "vks-node"
#: The region's tenant addresses; 10.60.0.0/24 is for load balancers.
SUBNET_POOL = "verda"
_POOL_PREFIXES = [f"10.60.{2**bit}.0/{24 - bit}" for bit in range(8)]


def connect_admin(layout: Layout) -> Connection:
    return Connection(
        auth={
            "auth_url": layout.endpoint("keystone"),
            "username": "admin",
            "password": ADMIN_PASSWORD,
            "project_name": "admin",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        region_name=REGION,
        identity_api_version="3",
    )


def seed_identity(cloud: Connection, layout: Layout) -> None:
    """Service accounts and the catalog; other services exit at their start without these."""
    identity = cloud.identity
    project = identity.create_project(name="service", domain_id="default")
    roles = [identity.find_role("admin"), identity.find_role("service")]
    for name in SERVICE_TYPES:
        if name == "keystone":
            continue
        user = identity.create_user(
            name=name, password=SERVICE_PASSWORD, default_project_id=project.id
        )
        for role in roles:
            identity.assign_project_role_to_user(project, user, role)
        service = identity.create_service(name=name, type=SERVICE_TYPES[name])
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(
                service_id=service.id,
                interface=interface,
                url=layout.endpoint(name),
                region_id=REGION,
            )


def seed_image(cloud: Connection) -> None:
    """The fake virt driver never boots it: only its record matters."""
    cloud.image.create_image(
        name=IMAGE, container_format="bare", disk_format="raw", visibility="public",
        data=b"\0" * 1024, wait=True,
    )  # fmt: skip


def seed_network(cloud: Connection) -> None:
    cloud.network.create_subnet_pool(
        name=SUBNET_POOL, prefixes=_POOL_PREFIXES, default_prefix_length=24,
        minimum_prefix_length=20, is_shared=True, is_default=True,
    )  # fmt: skip


def seed_compute(cloud: Connection) -> None:
    """Zones (a host aggregate each) and flavors; the computes must have been discovered."""
    for zone, host in zip(ZONES, compute_hosts(), strict=True):
        aggregate = cloud.compute.create_aggregate(name=zone, availability_zone=zone)
        cloud.compute.add_host_to_aggregate(aggregate, host)
    for name, (vcpus, ram, disk) in FLAVORS.items():
        cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)
