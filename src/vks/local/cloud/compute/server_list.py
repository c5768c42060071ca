"""Lists of servers: filters, order, pages."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from vks.local.cloud.compute.pages import page
from vks.local.cloud.compute.server_views import addresses, brief_view, full_view, status_of
from vks.local.cloud.compute.tables import SERVERS, Server
from vks.local.cloud.core.ids import parse_time
from vks.local.cloud.http.call import Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, forbidden
from vks.local.cloud.http.router import Route

_SORT = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "display_name": "name",
    "name": "name",
    "uuid": "id",
    "id": "id",
}


def _time(call: Call, name: str) -> datetime | None:
    text = call.query.get(name)
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as wrong:
        raise bad_request(f"Invalid input for query parameters {name}. Value: {text}.") from wrong


def _rows(call: Call) -> list[Server]:
    """The rows that may be listed at all, deleted ones only where they are asked for."""
    everywhere = call.query.get("all_tenants", call.query.get("all_projects"))
    wants_all = everywhere is not None and everywhere.lower() in ("", "1", "true")
    if wants_all and not call.caller.is_admin:
        raise forbidden(
            "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed."
        )
    where: dict[str, Any] = {} if wants_all else {"project_id": call.caller.project}
    project = call.query.get("project_id", call.query.get("tenant_id"))
    if wants_all and project:
        where["project_id"] = project
    since, before = _time(call, "changes-since"), _time(call, "changes-before")
    if since is None and before is None:
        where["deleted"] = call.caller.is_admin and call.flag("deleted")
    if "tags" in call.query:  # whoever looks for his own among thousands names a tag
        wanted = {*call.query["tags"].split(",")}
        tagged = SERVERS.pick(call.db, "id", "tags", **where)
        where["id"] = [found for found, tags in tagged if wanted <= {*tags}]
    rows = SERVERS.summaries(call.db, **where)
    if since is not None:
        rows = [row for row in rows if parse_time(row.updated_at) >= since]
    if before is not None:
        rows = [row for row in rows if parse_time(row.updated_at) <= before]
    return rows


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as wrong:
        raise bad_request(f"Invalid regular expression {text!r}") from wrong


def _matches(call: Call, server: Server) -> bool:
    query = call.query
    checks = (
        ("name", lambda text: bool(_pattern(text).search(server.name))),
        ("status", lambda text: status_of(server) in _statuses(call)),
        ("uuid", lambda text: server.id == text),
        ("flavor", lambda text: server.flavor.id == text),
        ("image", lambda text: server.image_id == text),
        ("availability_zone", lambda text: server.zone == text),
        ("host", lambda text: server.host == text),
        ("key_name", lambda text: server.key_name == text),
        ("user_id", lambda text: server.user_id == text),
        ("ip", lambda text: _has_address(call, server, text)),
        ("tags-any", lambda text: any(tag in server.tags for tag in text.split(","))),
        ("not-tags", lambda text: not all(tag in server.tags for tag in text.split(","))),
        ("not-tags-any", lambda text: not any(tag in server.tags for tag in text.split(","))),
    )
    return all(judge(query[name]) for name, judge in checks if name in query)


def _statuses(call: Call) -> list[str]:
    return [status.upper() for status in call.query.getall("status")]


def _has_address(call: Call, server: Server, pattern: str) -> bool:
    found = addresses(call, server)
    wanted = _pattern(pattern)
    return any(wanted.search(one["addr"]) for group in found.values() for one in group)


def _select(call: Call) -> tuple[list[Server], Json]:
    rows = [row for row in _rows(call) if _matches(call, row)]
    keys = call.query.getall("sort_key", ["created_at", "uuid"])
    directions = call.query.getall("sort_dir", [])
    for at, key in reversed([*enumerate(keys)]):
        if key not in _SORT:
            raise bad_request(f"Invalid input for query parameters sort_key. Value: {key}.")
        field = _SORT[key]
        direction = directions[at] if at < len(directions) else "desc"
        rows.sort(key=lambda row: str(getattr(row, field)), reverse=direction == "desc")
    chosen, links = page(call, "servers", rows, [row.id for row in rows])
    return list(chosen), links


def list_servers(call: Call) -> Reply:
    rows, links = _select(call)
    return Reply(body={"servers": [brief_view(call, row) for row in rows], **links})


def detail_servers(call: Call) -> Reply:
    rows, links = _select(call)
    views = [full_view(call, row) for row in rows]
    for view in views:
        view.pop("server_groups", None)  # Nova finds groups too dear to look up for a list
    return Reply(body={"servers": views, **links})


ROUTES = [
    Route("GET", "/v2.1/servers", list_servers),
    Route("GET", "/v2.1/servers/detail", detail_servers),
]
