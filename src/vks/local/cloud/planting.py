"""Applies the seed to the database; safe to repeat."""

from __future__ import annotations

import ipaddress
import uuid

from vks.local.cloud.compute.tables import COMPUTE_QUOTAS, FLAVORS, ComputeQuota, Flavor
from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import new_hex, new_uuid, seconds
from vks.local.cloud.identity.secrets import hash_secret, verify_secret
from vks.local.cloud.identity.tables import (
    ASSIGNMENTS,
    DOMAINS,
    PROJECTS,
    ROLES,
    USERS,
    Assignment,
    Domain,
    Project,
    Role,
    User,
)
from vks.local.cloud.image.tables import IMAGES, Image
from vks.local.cloud.lbaas.tables import LB_QUOTAS, LbQuota
from vks.local.cloud.network.addresses import default_pools
from vks.local.cloud.network.tables import (
    NETWORK_QUOTAS,
    NETWORKS,
    SUBNET_POOLS,
    SUBNETS,
    Network,
    Quota,
    Subnet,
    SubnetPool,
)
from vks.local.cloud.seed import Seed, SeedError, SeedNetwork, SeedProject, SeedUser

DOMAIN = "default"
_ROLES = ("admin", "manager", "member", "reader", "service")


def plant(db: Database, seed: Seed) -> None:
    """Blocks for some 50 ms per user (password hashes). Raises SeedError for dangling names."""
    with db.transaction():
        if DOMAINS.get(db, id=DOMAIN) is None:
            DOMAINS.insert(db, Domain(id=DOMAIN, name="Default", description="The default domain"))
        for name in _ROLES:
            if ROLES.get(db, name=name) is None:
                ROLES.insert(db, Role(id=new_hex(), name=name))
        for project in seed.projects:
            _project(db, project)
        for user in seed.users:
            _user(db, user)
        _flavors(db, seed)
        _images(db, seed)
        _pool(db, seed)
        for network in seed.networks:
            _network(db, network)


def _project(db: Database, wanted: SeedProject) -> None:
    """Quotas are set when the project is made; later they are the admin's."""
    if PROJECTS.get(db, name=wanted.name, domain_id=DOMAIN):
        return
    project = Project(
        id=new_hex(),
        name=wanted.name,
        domain_id=DOMAIN,
        parent_id=DOMAIN,
        description=wanted.description,
    )
    PROJECTS.insert(db, project)
    for resource, maximum in wanted.quotas.compute.items():
        COMPUTE_QUOTAS.put(
            db, ComputeQuota(project_id=project.id, resource=resource, maximum=maximum)
        )
    for resource, maximum in wanted.quotas.network.items():
        NETWORK_QUOTAS.put(db, Quota(project_id=project.id, resource=resource, maximum=maximum))
    for resource, maximum in wanted.quotas.lbaas.items():
        LB_QUOTAS.put(db, LbQuota(project_id=project.id, resource=resource, maximum=maximum))


def _project_id(db: Database, name: str) -> str:
    project = PROJECTS.get(db, name=name, domain_id=DOMAIN)
    if project is None:
        raise SeedError(f"the seed names a project {name!r} that it does not define")
    return project.id


def _user(db: Database, wanted: SeedUser) -> None:
    default = _project_id(db, wanted.default_project) if wanted.default_project else None
    user = USERS.get(db, name=wanted.name, domain_id=DOMAIN)
    if user is None:
        user = USERS.insert(
            db,
            User(
                id=new_hex(),
                name=wanted.name,
                domain_id=DOMAIN,
                password_hash=hash_secret(wanted.password),
                default_project_id=default,
            ),
        )
    elif not verify_secret(wanted.password, user.password_hash):
        USERS.update(db, user, password_hash=hash_secret(wanted.password))
    for grant in wanted.roles:
        role = ROLES.get(db, name=grant.role)
        if role is None:
            raise SeedError(f"user {wanted.name}: no role {grant.role!r}")
        on_project = grant.project is not None
        ASSIGNMENTS.put(
            db,
            Assignment(
                role_id=role.id,
                user_id=user.id,
                target="project" if on_project else "domain",
                target_id=_project_id(db, grant.project) if grant.project else DOMAIN,
                inherited=grant.inherited,
            ),
        )


def _stable(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)))


def _flavors(db: Database, seed: Seed) -> None:
    for wanted in seed.flavors:
        known = FLAVORS.get(db, name=wanted.name)
        identifier = wanted.id or (known.id if known else _stable("flavor", wanted.name))
        FLAVORS.delete(db, name=wanted.name)
        FLAVORS.put(
            db,
            Flavor(
                id=identifier,
                name=wanted.name,
                ram=wanted.ram,
                disk=wanted.disk,
                vcpus=wanted.vcpus,
                extra_specs=wanted.extra_specs,
            ),
        )


def _images(db: Database, seed: Seed) -> None:
    owner = PROJECTS.find(db)[0].id if PROJECTS.count(db) else ""
    for wanted in seed.images:
        identifier = wanted.id or _stable("image", wanted.name)
        known = IMAGES.get(db, id=identifier)
        moment = seconds()
        IMAGES.put(
            db,
            Image(
                id=identifier,
                name=wanted.name,
                project_id=owner,
                visibility="public",
                status="active",
                min_ram=wanted.min_ram,
                min_disk=wanted.min_disk,
                size=wanted.size,
                properties=wanted.properties,
                tags=wanted.tags,
                path=wanted.path,
                created_at=known.created_at if known else moment,
                updated_at=moment,
            ),
        )


def _pool(db: Database, seed: Seed) -> None:
    if SUBNET_POOLS.get(db, name="default", is_default=True):
        return
    moment = seconds()
    SUBNET_POOLS.insert(
        db,
        SubnetPool(
            id=_stable("subnetpool", "default"),
            project_id=PROJECTS.find(db)[0].id if PROJECTS.count(db) else "",
            name="default",
            description="Ranges that overlap nobody's",
            created_at=moment,
            updated_at=moment,
            prefixes=seed.subnet_pool.prefixes,
            default_prefixlen=seed.subnet_pool.default_prefixlen,
            min_prefixlen=seed.subnet_pool.min_prefixlen,
            max_prefixlen=32,
            is_default=True,
            shared=True,
        ),
    )


def _network(db: Database, wanted: SeedNetwork) -> None:
    project_id = _project_id(db, wanted.project)
    if NETWORKS.get(db, name=wanted.name, project_id=project_id):
        return
    moment = seconds()
    network = Network(
        id=new_uuid(),
        project_id=project_id,
        name=wanted.name,
        description="",
        created_at=moment,
        updated_at=moment,
        admin_state_up=True,
        shared=wanted.shared,
        external=wanted.external,
        mtu=1500,
        port_security_enabled=True,
    )
    NETWORKS.insert(db, network)
    if wanted.cidr is None:
        return
    cidr = ipaddress.ip_network(wanted.cidr)
    gateway = str(cidr[1])
    SUBNETS.insert(
        db,
        Subnet(
            id=new_uuid(),
            project_id=project_id,
            name=wanted.name,
            description="",
            created_at=moment,
            updated_at=moment,
            network_id=network.id,
            ip_version=cidr.version,
            cidr=str(cidr),
            gateway_ip=gateway,
            enable_dhcp=True,
            allocation_pools=default_pools(cidr, gateway),
            dns_nameservers=[],
            host_routes=[],
            subnetpool_id=None,
        ),
    )
