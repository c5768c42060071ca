"""The catalog: every service of the region and where it answers."""

from __future__ import annotations

import uuid

from vks.local.cloud.core.settings import Settings
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.router import Route
from vks.local.cloud.identity.errors import missing

#: type -> (name, path)
_OWN: dict[str, tuple[str, str]] = {
    "identity": ("keystone", "/identity"),
    "compute": ("nova", "/compute/v2.1"),
    "network": ("neutron", "/network"),
    "image": ("glance", "/image"),
    "lbaas": ("verda-lbaas", "/lbaas/v1"),
}
_OTHER_NAMES = {"kubernetes": "vks", "object-store": "vos"}


def _stable_id(*parts: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)).hex


def services(settings: Settings) -> list[Json]:
    found = {kind: (name, settings.url + path) for kind, (name, path) in _OWN.items()}
    for kind, url in settings.service_endpoints.items():
        found[kind] = (_OTHER_NAMES.get(kind, kind), url)
    return [
        {"id": _stable_id("service", kind), "type": kind, "name": name, "enabled": True, "url": url}
        for kind, (name, url) in found.items()
    ]


def endpoints(settings: Settings) -> list[Json]:
    return [
        {
            "id": _stable_id("endpoint", service["type"], interface),
            "interface": interface,
            "region": settings.region,
            "region_id": settings.region,
            "service_id": service["id"],
            "url": service["url"],
            "enabled": True,
        }
        for service in services(settings)
        for interface in ("public", "internal", "admin")
    ]


def catalog(settings: Settings) -> list[Json]:
    """As it is printed in a token."""
    shown = ("id", "interface", "region", "region_id", "url")
    return [
        {
            "id": service["id"],
            "type": service["type"],
            "name": service["name"],
            "endpoints": [
                {key: endpoint[key] for key in shown}
                for endpoint in endpoints(settings)
                if endpoint["service_id"] == service["id"]
            ],
        }
        for service in services(settings)
    ]


def show_catalog(call: Call) -> Reply:
    return Reply(body={"catalog": catalog(call.cloud.settings), "links": {"self": call.base_url}})


def list_services(call: Call) -> Reply:
    kind, name = call.query.get("type"), call.query.get("name")
    found = [
        {key: value for key, value in service.items() if key != "url"}
        for service in services(call.cloud.settings)
        if kind in (None, service["type"]) and name in (None, service["name"])
    ]
    return Reply(body={"services": found, "links": {}})


def list_endpoints(call: Call) -> Reply:
    wanted = {
        key: call.query[key]
        for key in ("service_id", "interface", "region_id")
        if key in call.query
    }
    found = [
        endpoint
        for endpoint in endpoints(call.cloud.settings)
        if all(endpoint[key] == value for key, value in wanted.items())
    ]
    return Reply(body={"endpoints": found, "links": {}})


def _region(settings: Settings) -> Json:
    return {"id": settings.region, "description": "", "parent_region_id": None}


def list_regions(call: Call) -> Reply:
    return Reply(body={"regions": [_region(call.cloud.settings)], "links": {}})


def show_region(call: Call) -> Reply:
    if call.params["region_id"] != call.cloud.settings.region:
        raise missing("region", call.params["region_id"])
    return Reply(body={"region": _region(call.cloud.settings)})


ROUTES = [
    Route("GET", "/v3/auth/catalog", show_catalog, Access.TOKEN),
    Route("GET", "/v3/services", list_services, Access.ADMIN, "identity:list_services"),
    Route("GET", "/v3/endpoints", list_endpoints, Access.ADMIN, "identity:list_endpoints"),
    Route("GET", "/v3/regions", list_regions, Access.PUBLIC),
    Route("GET", "/v3/regions/{region_id}", show_region, Access.PUBLIC),
]
