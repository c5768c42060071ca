"""Nova's words for what went wrong."""

from __future__ import annotations

from typing import Any

from vks.local.cloud.http.call import Json
from vks.local.cloud.http.errors import ApiError, bad_request, conflict, forbidden, not_found
from vks.local.cloud.http.schema import Invalid, Schema, check

_FAULTS = {
    400: "badRequest",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def render(error: ApiError) -> Json:
    if error.status == 401:  # comes from keystonemiddleware, in front of Nova
        return {"error": {"code": 401, "title": error.title, "message": error.message}}
    fault: Json = {"code": error.status, "message": error.message}
    if "Retry-After" in error.headers:
        fault["retryAfter"] = error.headers["Retry-After"]
    return {_FAULTS.get(error.status, "computeFault"): fault}


def forbid(action: str) -> ApiError:
    return forbidden(f"Policy doesn't allow {action} to be performed.")


def validate(schema: Schema, body: Any) -> None:
    """Raises ApiError 400 in the words of Nova's schema validator."""
    try:
        check(schema, body)
    except Invalid as wrong:
        if not wrong.path:
            raise bad_request(wrong.message) from wrong
        field = wrong.path.rsplit(".", 1)[-1]
        raise bad_request(
            f"Invalid input for field/attribute {field}. Value: {wrong.value}. {wrong.message}"
        ) from wrong


def server_missing(server_id: str) -> ApiError:
    return not_found(f"Instance {server_id} could not be found.")


def wrong_state(action: str, server_id: str, attribute: str, state: str | None) -> ApiError:
    return conflict(f"Cannot '{action}' instance {server_id} while it is in {attribute} {state}")
