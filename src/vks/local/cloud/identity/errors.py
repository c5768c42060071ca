"""Keystone's words for what went wrong."""

from __future__ import annotations

from typing import Any

from vks.local.cloud.http.call import Json
from vks.local.cloud.http.errors import ApiError, bad_request, conflict, forbidden, not_found
from vks.local.cloud.http.schema import Invalid, Schema, check


def render(error: ApiError) -> Json:
    return {"error": {"code": error.status, "message": error.message, "title": error.title}}


def forbid(action: str) -> ApiError:
    return forbidden(f"You are not authorized to perform the requested action: {action}.")


def missing(kind: str, identifier: str) -> ApiError:
    return not_found(f"Could not find {kind}: {identifier}.")


def duplicate(kind: str, name: str) -> ApiError:
    return conflict(
        f"Conflict occurred attempting to store {kind} - Duplicate entry found with name {name}."
    )


def validate(schema: Schema, body: Any) -> None:
    """Raises ApiError 400 in Keystone's words."""
    try:
        check(schema, body)
    except Invalid as wrong:
        if not wrong.path or "required property" in wrong.message:
            raise bad_request(wrong.message) from wrong
        field = wrong.path.rsplit(".", 1)[-1]
        raise bad_request(f"Invalid input for field '{field}': {wrong.message}") from wrong


def envelope(name: str, properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    """The schema of a body `{name: {properties}}`."""
    inner = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "object", "properties": {name: inner}, "required": [name]}
