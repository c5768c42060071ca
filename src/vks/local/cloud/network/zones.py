"""Availability zones of networks and routers."""

from __future__ import annotations

from vks.local.cloud.core.settings import Settings
from vks.local.cloud.http.call import Call, Reply
from vks.local.cloud.http.errors import not_found
from vks.local.cloud.http.router import Route


def check_hints(settings: Settings, hints: list[str]) -> None:
    for hint in hints:
        if hint not in settings.zones:
            raise not_found(
                f"AvailabilityZone {hint} could not be found.", kind="AvailabilityZoneNotFound"
            )


def list_zones(call: Call) -> Reply:
    zones = [
        {"name": zone, "resource": resource, "state": "available"}
        for zone in call.cloud.settings.zones
        for resource in ("network", "router")
    ]
    wanted = {
        name: call.query[name] for name in ("name", "resource", "state") if name in call.query
    }
    found = [zone for zone in zones if all(zone[name] == v for name, v in wanted.items())]
    return Reply(body={"availability_zones": found})


ROUTES = [Route("GET", "/v2.0/availability_zones", list_zones)]
