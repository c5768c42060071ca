"""What an API server answers when it does not do what it was asked.

One class per thing that a caller handles differently. `reason` is CamelCase and fit for a
Condition, an Event or a metric label.
"""

# ruff: noqa: N818 - the classes carry the names that Kubernetes gives its reasons
from __future__ import annotations

from typing import NamedTuple

import msgspec


class Cause(NamedTuple):
    """One field of an Invalid answer (`metav1.StatusCause`)."""

    field: str
    reason: str
    message: str


class ApiError(Exception):
    """The API server refused or failed a request; `status` is 0 when it did not answer."""

    default_reason = "RequestFailed"

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        causes: tuple[Cause, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason or self.default_reason
        self.causes = causes
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.reason} ({self.status}): {self.message}"


class BadRequest(ApiError):
    default_reason = "BadRequest"


class Unauthorized(ApiError):
    default_reason = "Unauthorized"


class Forbidden(ApiError):
    default_reason = "Forbidden"


class NotFound(ApiError):
    default_reason = "NotFound"


class Conflict(ApiError):
    """The object changed meanwhile, or another field manager owns a field."""

    default_reason = "Conflict"


class AlreadyExists(ApiError):
    default_reason = "AlreadyExists"


class Gone(ApiError):
    """The resource version or continue token is too old: list again."""

    default_reason = "Expired"


class Invalid(ApiError):
    """Validation failed (422); `causes` names the fields."""

    default_reason = "Invalid"


class TooManyRequests(ApiError):
    """Priority and fairness shed the request; `retry_after` is in seconds."""

    default_reason = "TooManyRequests"


class Unavailable(ApiError):
    """No answer, a broken one, or 5xx: the same request may succeed later."""

    default_reason = "ServiceUnavailable"


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


class _StatusCause(msgspec.Struct):
    reason: str = ""
    message: str = ""
    field: str = ""


class _StatusDetails(msgspec.Struct, rename="camel"):
    causes: list[_StatusCause] = []
    retry_after_seconds: float = 0.0


class StatusBody(msgspec.Struct):
    """`metav1.Status`, the body of every failed request and of a watch's ERROR event."""

    status: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: _StatusDetails | None = None


def error_from_status(
    body: bytes | msgspec.Raw, *, http_status: int = 0, retry_after: float | None = None
) -> ApiError:
    """The exception for a Status body; a body that is none (a proxy's page) is quoted."""
    try:
        status = msgspec.json.decode(body, type=StatusBody)
    except msgspec.DecodeError:
        status = StatusBody(message=bytes(body)[:300].decode("utf-8", "replace"))
    code = http_status or status.code
    details = status.details or _StatusDetails()
    if retry_after is None and details.retry_after_seconds:
        retry_after = details.retry_after_seconds
    return _class_for(code, status.reason)(
        status.message or f"HTTP {code}",
        status=code,
        reason=status.reason,
        causes=tuple(Cause(c.field, c.reason, c.message) for c in details.causes),
        retry_after=retry_after,
    )


def _class_for(code: int, reason: str) -> type[ApiError]:
    if reason == "AlreadyExists":
        return AlreadyExists
    if code >= 500:
        return Unavailable
    return _BY_STATUS.get(code, ApiError)
