"""Nova's way of paging: `limit`, `marker`, and a `next` link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from vks.local.cloud.http.call import Call, Json
from vks.local.cloud.http.errors import bad_request

T = TypeVar("T")

MAXIMUM = 1000


def page(
    call: Call, plural: str, rows: Sequence[T], ids: Sequence[str]
) -> tuple[Sequence[T], Json]:
    """The wanted part of `rows`, and the links that the answer carries."""
    limit = _limit(call)
    marker = call.query.get("marker")
    start = 0
    if marker is not None:
        if marker not in ids:
            raise bad_request(f"marker [{marker}] not found")
        start = list(ids).index(marker) + 1
    end = start + limit
    if limit == 0 or end >= len(rows):
        return rows[start:end], {}
    query = "&".join(f"{k}={v}" for k, v in call.query.items() if k != "marker")
    href = f"{call.base_url}{call.path}?{query + '&' if query else ''}marker={ids[end - 1]}"
    return rows[start:end], {f"{plural}_links": [{"rel": "next", "href": href}]}


def _limit(call: Call) -> int:
    text = call.query.get("limit")
    if text is None:
        return MAXIMUM
    if not text.isdigit():
        raise bad_request(
            f"Invalid input for query parameters limit. Value: {text}. {text!r} does not match "
            "'^[0-9]*$'"
        )
    return min(int(text), MAXIMUM)
