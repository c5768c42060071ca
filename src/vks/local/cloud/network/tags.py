"""Tags of any resource."""

from __future__ import annotations

from typing import Any

from vks.local.cloud.core.table import Table
from vks.local.cloud.http.call import Access, Call, Reply
from vks.local.cloud.http.errors import not_found
from vks.local.cloud.http.router import Route
from vks.local.cloud.http.schema import Invalid, check
from vks.local.cloud.network.attributes import TAGS
from vks.local.cloud.network.errors import invalid_input
from vks.local.cloud.network.listing import find_owned, find_visible, touch
from vks.local.cloud.network.tables import (
    NETWORKS,
    PORTS,
    ROUTERS,
    SECURITY_GROUPS,
    SUBNET_POOLS,
    SUBNETS,
    Resource,
)

_TAGGED: dict[str, tuple[str, Table[Any]]] = {
    "networks": ("network", NETWORKS),
    "subnets": ("subnet", SUBNETS),
    "subnetpools": ("subnetpool", SUBNET_POOLS),
    "ports": ("port", PORTS),
    "routers": ("router", ROUTERS),
    "security-groups": ("security_group", SECURITY_GROUPS),
}


def _table(call: Call) -> tuple[str, Table[Any]]:
    return _TAGGED[call.path.split("/v2.0/", 1)[1].split("/", 1)[0]]


def _row(call: Call, change: bool) -> Resource:
    resource, table = _table(call)
    find = find_owned if change else find_visible
    row: Resource = find(call, table, resource, call.params["resource_id"])
    return row


def _write(call: Call, row: Resource, tags: list[str]) -> None:
    try:
        check(TAGS, tags)
    except Invalid as wrong:
        raise invalid_input(wrong.message) from wrong
    touch(call.db, _table(call)[1], row, tags=tags)


def show_tags(call: Call) -> Reply:
    return Reply(body={"tags": _row(call, False).tags})


def replace_tags(call: Call) -> Reply:
    row = _row(call, True)
    if not isinstance(call.body, dict) or not isinstance(call.body.get("tags"), list):
        raise invalid_input("Invalid tags body")
    _write(call, row, call.body["tags"])
    return Reply(body={"tags": call.body["tags"]})


def remove_tags(call: Call) -> Reply:
    _write(call, _row(call, True), [])
    return Reply(204)


def _missing(tag: str) -> Exception:
    return not_found(f"Tag {tag} could not be found.", kind="TagNotFound")


def check_tag(call: Call) -> Reply:
    if call.params["tag"] not in _row(call, False).tags:
        raise _missing(call.params["tag"])
    return Reply(204)


def add_tag(call: Call) -> Reply:
    row, tag = _row(call, True), call.params["tag"]
    if tag not in row.tags:
        _write(call, row, [*row.tags, tag])
    return Reply(201)


def remove_tag(call: Call) -> Reply:
    row, tag = _row(call, True), call.params["tag"]
    if tag not in row.tags:
        raise _missing(tag)
    _write(call, row, [other for other in row.tags if other != tag])
    return Reply(204)


ROUTES = [
    route
    for plural in _TAGGED
    for base in [f"/v2.0/{plural}/{{resource_id}}/tags"]
    for route in (
        Route("GET", base, show_tags),
        Route("PUT", base, replace_tags, Access.MEMBER, "update_tags"),
        Route("DELETE", base, remove_tags, Access.MEMBER, "delete_tags"),
        Route("GET", base + "/{tag}", check_tag),
        Route("PUT", base + "/{tag}", add_tag, Access.MEMBER, "update_tags"),
        Route("DELETE", base + "/{tag}", remove_tag, Access.MEMBER, "delete_tags"),
    )
]
