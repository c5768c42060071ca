"""What Neutron remembers."""

from __future__ import annotations

from vks.local.cloud.core.table import Row, Table


class Resource(Row, frozen=True, kw_only=True):
    """What all of Neutron's resources have."""

    id: str
    project_id: str
    name: str
    description: str
    tags: list[str] = []
    created_at: str
    updated_at: str
    revision_number: int = 0


class Network(Resource, frozen=True, kw_only=True):
    admin_state_up: bool
    shared: bool
    external: bool
    mtu: int
    port_security_enabled: bool
    availability_zone_hints: list[str] = []


class Subnet(Resource, frozen=True, kw_only=True):
    network_id: str
    ip_version: int
    cidr: str
    gateway_ip: str | None
    enable_dhcp: bool
    allocation_pools: list[dict[str, str]]
    dns_nameservers: list[str]
    host_routes: list[dict[str, str]]
    subnetpool_id: str | None
    last_address: str | None = None  # given out last: the next search starts behind it


class SubnetPool(Resource, frozen=True, kw_only=True):
    prefixes: list[str]
    default_prefixlen: int
    min_prefixlen: int
    max_prefixlen: int
    is_default: bool
    shared: bool
    last_cidr: str | None = None


class Port(Resource, frozen=True, kw_only=True):
    network_id: str
    mac_address: str
    admin_state_up: bool
    status: str
    device_id: str
    device_owner: str
    host_id: str
    fixed_ips: list[dict[str, str]]
    allowed_address_pairs: list[dict[str, str]]
    security_group_ids: list[str]
    port_security_enabled: bool
    vnic_type: str = "normal"


class Allocation(Row, frozen=True, kw_only=True):
    """One address of one port; the primary key is what keeps addresses unique."""

    subnet_id: str
    ip_address: str
    port_id: str


class Router(Resource, frozen=True, kw_only=True):
    admin_state_up: bool
    routes: list[dict[str, str]]
    external_network_id: str | None
    enable_snat: bool
    availability_zone_hints: list[str] = []


class SecurityGroup(Resource, frozen=True, kw_only=True):
    stateful: bool


class SecurityGroupRule(Resource, frozen=True, kw_only=True):
    security_group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None


class Quota(Row, frozen=True, kw_only=True):
    project_id: str
    resource: str
    maximum: int  # -1: no limit


NETWORKS = Table("networks", Network, indexes=("project_id",))
SUBNETS = Table("subnets", Subnet, indexes=("network_id",))
SUBNET_POOLS = Table("subnet_pools", SubnetPool)
PORTS = Table(
    "ports",
    Port,
    constraints=("UNIQUE (network_id, mac_address)",),
    indexes=("network_id", "device_id", "project_id"),
)
ALLOCATIONS = Table(
    "allocations", Allocation, key=("subnet_id", "ip_address"), indexes=("port_id",)
)
ROUTERS = Table("routers", Router, indexes=("project_id",))
SECURITY_GROUPS = Table("security_groups", SecurityGroup, indexes=("project_id",))
SECURITY_GROUP_RULES = Table(
    "security_group_rules", SecurityGroupRule, indexes=("security_group_id",)
)
NETWORK_QUOTAS = Table("network_quotas", Quota, key=("project_id", "resource"))

NETWORK_TABLES = (
    NETWORKS,
    SUBNETS,
    SUBNET_POOLS,
    PORTS,
    ALLOCATIONS,
    ROUTERS,
    SECURITY_GROUPS,
    SECURITY_GROUP_RULES,
    NETWORK_QUOTAS,
)
