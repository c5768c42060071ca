"""The network service, put together."""

from __future__ import annotations

from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import not_found
from vks.local.cloud.http.router import Route, Service
from vks.local.cloud.network import (
    networks,
    ports,
    quotas,
    router_interfaces,
    routers,
    routes,
    security_groups,
    security_rules,
    subnet_pools,
    subnets,
    tags,
    zones,
)
from vks.local.cloud.network.errors import forbid, render

#: alias -> name: what is really there, for clients that look before they leap.
EXTENSIONS = {
    "allowed-address-pairs": "Allowed Address Pairs",
    "availability_zone": "Availability Zone",
    "availability_zone_filter": "Availability Zone Filter Extension",
    "binding": "Port Binding",
    "default-subnetpools": "Default Subnetpools",
    "external-net": "Neutron external network",
    "extraroute": "Neutron Extra Route",
    "extraroute-atomic": "Atomically add/remove extra routes",
    "filter-validation": "Filter parameters validation",
    "net-mtu": "Network MTU",
    "network_availability_zone": "Network Availability Zone",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "project-id": "project_id field enabled",
    "provider": "Provider Network",
    "quotas": "Quota management support",
    "quota_details": "Quota details management support",
    "revision-if-match": "If-Match constraints based on revision_number",
    "router": "Neutron L3 Router",
    "router_availability_zone": "Router Availability Zone",
    "security-group": "security-group",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute",
    "standard-attr-timestamp": "Resource timestamps",
    "subnet_allocation": "Subnet Allocation",
    "tag-ports-during-bulk-creation": "Tag Ports During Bulk Creation",
}


def _extension(alias: str) -> Json:
    return {
        "alias": alias,
        "name": EXTENSIONS[alias],
        "description": EXTENSIONS[alias],
        "updated": "2020-01-01T00:00:00-00:00",
        "links": [],
    }


def list_extensions(call: Call) -> Reply:
    return Reply(body={"extensions": [_extension(alias) for alias in EXTENSIONS]})


def show_extension(call: Call) -> Reply:
    alias = call.params["alias"]
    if alias not in EXTENSIONS:
        raise not_found(f"Extension with alias {alias} does not exist", kind="HTTPNotFound")
    return Reply(body={"extension": _extension(alias)})


def _version(call: Call) -> Json:
    return {
        "id": "v2.0",
        "status": "CURRENT",
        "links": [{"rel": "self", "href": f"{call.base_url}/network/v2.0/"}],
    }


def list_versions(call: Call) -> Reply:
    return Reply(body={"versions": [_version(call)]})


_RESOURCES = ("network", "subnet", "subnetpool", "port", "router", "security-group")


def show_version(call: Call) -> Reply:
    """Neutron's v2.0 root lists its resources."""
    shown = [
        {
            "name": name,
            "collection": f"{name}s",
            "links": [{"rel": "self", "href": f"{call.base_url}/network/v2.0/{name}s"}],
        }
        for name in _RESOURCES
    ]
    return Reply(body={"resources": shown})


NETWORK = Service(
    name="network",
    prefix="/network",
    routes=[
        Route("GET", "", list_versions, Access.PUBLIC),
        Route("GET", "/v2.0", show_version, Access.PUBLIC),
        Route("GET", "/v2.0/extensions", list_extensions, Access.PUBLIC),
        Route("GET", "/v2.0/extensions/{alias}", show_extension, Access.PUBLIC),
        *networks.ROUTES,
        *subnets.ROUTES,
        *subnet_pools.ROUTES,
        *ports.ROUTES,
        *routers.ROUTES,
        *router_interfaces.ROUTES,
        *routes.ROUTES,
        *security_groups.ROUTES,
        *security_rules.ROUTES,
        *tags.ROUTES,
        *quotas.ROUTES,
        *zones.ROUTES,
    ],
    render=render,
    forbid=forbid,
)
