"""Lists as Neutron gives them: filters, tags, fields, sorting, pages; and what may be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import seconds
from vks.local.cloud.core.table import Table
from vks.local.cloud.http.call import Call, Json, Reply
from vks.local.cloud.network.errors import malformed, missing
from vks.local.cloud.network.tables import Resource

T = TypeVar("T", bound=Resource)

#: Filters that are not a comparison with the attribute of their name.
Special = Mapping[str, Callable[[Json, list[str]], bool]]

_CONTROL = ("fields", "limit", "marker", "sort_key", "sort_dir", "page_reverse")
_TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")
_COMMON = ("id", "name", "description", "project_id", "tags", "created_at", "updated_at")


def base_view(row: Resource) -> Json:
    """The attributes that all resources show."""
    view: Json = {name: getattr(row, name) for name in _COMMON}
    view["tenant_id"] = row.project_id
    view["revision_number"] = row.revision_number
    return view


def touch(db: Database, table: Table[T], row: T, **changes: Any) -> T:
    """Write changes with a new revision, as every change of a resource has one."""
    return table.update(
        db, row, updated_at=seconds(), revision_number=row.revision_number + 1, **changes
    )


def visible(call: Call, row: Resource) -> bool:
    shared = getattr(row, "shared", False) or getattr(row, "external", False)
    return call.caller.is_admin or row.project_id == call.caller.project or bool(shared)


def find_visible(call: Call, table: Table[T], resource: str, identifier: str) -> T:
    """The row, or 404 when it does not exist or belongs to others."""
    row = table.get(call.db, id=identifier)
    if row is None or not visible(call, row):
        raise missing(resource, identifier)
    return row


def find_owned(call: Call, table: Table[T], resource: str, identifier: str) -> T:
    """As find_visible, for a change: what is only shared with the caller is 404 too."""
    row = find_visible(call, table, resource, identifier)
    if not call.caller.is_admin and row.project_id != call.caller.project:
        raise missing(resource, identifier)
    expected = call.headers.get("If-Match", "")
    if expected.startswith("revision_number=") and expected != (
        f"revision_number={row.revision_number}"
    ):
        raise _revision_conflict(row)
    return row


def _revision_conflict(row: Resource) -> Exception:
    from vks.local.cloud.http.errors import ApiError

    return ApiError(
        412,
        f"Constrained to {row.revision_number}, but current revision is different",
        kind="RevisionNumberConstraintFailed",
    )


def candidates(call: Call, table: Table[T]) -> list[T]:
    """The visible rows, narrowed by those filters that the database can judge."""
    where: dict[str, Any] = {
        name: call.query.getall(name)
        for name in ("id", "network_id", "device_id", "security_group_id", "name", "description")
        if name in call.query and name in table.columns
    }
    if call.caller.is_admin:
        project = call.query.get("project_id", call.query.get("tenant_id"))
        return table.find(call.db, **where, **({"project_id": project} if project else {}))
    if "shared" in table.columns:
        return [row for row in table.find(call.db, **where) if visible(call, row)]
    return table.find(call.db, project_id=call.caller.project, **where)


def list_reply(
    call: Call,
    plural: str,
    rows: Sequence[T],
    view: Callable[[Call, T], Json],
    special: Special | None = None,
) -> Reply:
    """`special` judges filters that are not a comparison with the attribute of that name."""
    views = [view(call, row) for row in rows]
    views = [one for one in views if _matches(call, one, special or {})]
    views = _sorted(call, views)
    page, links = _page(call, plural, views)
    fields = set(call.query.getall("fields", []))
    if fields:
        page = [{name: value for name, value in one.items() if name in fields} for one in page]
    return Reply(body={plural: page, **links})


def show_reply(call: Call, resource: str, view: Json, status: int = 200) -> Reply:
    fields = set(call.query.getall("fields", []))
    if fields:
        view = {name: value for name, value in view.items() if name in fields}
    return Reply(status, {resource: view})


def _matches(
    call: Call, view: Json, special: Mapping[str, Callable[[Json, list[str]], bool]]
) -> bool:
    unknown = []
    for name in set(call.query.keys()) - set(_CONTROL):
        values = call.query.getall(name)
        if name in _TAG_FILTERS:
            if not _tags_match(name, values[0].split(","), view["tags"]):
                return False
        elif name in special:
            if not special[name](view, values):
                return False
        elif name not in view:
            unknown.append(name)
        elif not any(_equal(view[name], value) for value in values):
            return False
    if unknown:
        raise malformed(f"{unknown} is invalid attribute for filtering")
    return True


def _equal(actual: Any, wanted: str) -> bool:
    if isinstance(actual, bool):
        return actual == (wanted.lower() in ("true", "1", "t"))
    if isinstance(actual, list):
        return wanted in actual
    return str("" if actual is None else actual) == wanted


def _tags_match(kind: str, wanted: list[str], tags: list[str]) -> bool:
    matched = [tag in tags for tag in wanted]
    return {
        "tags": all(matched),
        "tags-any": any(matched),
        "not-tags": not all(matched),
        "not-tags-any": not any(matched),
    }[kind]


def _sorted(call: Call, views: list[Json]) -> list[Json]:
    keys = call.query.getall("sort_key", [])
    directions = call.query.getall("sort_dir", [])
    for key, direction in reversed([*zip(keys, directions, strict=False)]):
        if views and key not in views[0]:
            raise malformed(f"['{key}'] is invalid attribute for sort_keys")
        views = sorted(views, key=lambda view: str(view[key]), reverse=direction == "desc")
    if not keys and "limit" in call.query:
        views = sorted(views, key=lambda view: str(view["id"]))
    return views


def _page(call: Call, plural: str, views: list[Json]) -> tuple[list[Json], Json]:
    if "limit" not in call.query:
        return views, {}
    limit_text = call.query["limit"]
    if not limit_text.isdigit():
        raise malformed(f"limit must be an integer 0 or greater and not '{limit_text}'")
    limit = int(limit_text)
    marker = call.query.get("marker")
    start = 0
    if marker:
        ids = [view["id"] for view in views]
        if marker not in ids:
            raise malformed(f"Invalid marker '{marker}'")
        start = ids.index(marker) + 1
    page = views[start : start + limit] if limit else views[start:]
    if not page or start + len(page) >= len(views):
        return page, {}
    base = f"{call.base_url}{call.path}?limit={limit}&marker={page[-1]['id']}"
    return page, {f"{plural}_links": [{"rel": "next", "href": base}]}


def replace(row: T, **changes: Any) -> T:
    return msgspec.structs.replace(row, **changes)
