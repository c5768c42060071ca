"""What a call to the cloud can end in, in the words of the domain.

Every error has a stable `code` (CamelCase: it becomes a condition's reason, an event's reason,
a problem document's code and a metric label) and a message that is safe to show to the user.
"""

# ruff: noqa: N818 - the classes carry the names that OpenStack and HTTP give them
from __future__ import annotations

import re
from typing import ClassVar

import msgspec

from vks.verda.redact import redact

MAX_MESSAGE = 500  # characters: an error is read in a condition, not archived there


class CloudError(Exception):
    """Base of all. `status` is the HTTP status, 0 when there was no answer."""

    code: ClassVar[str] = "CloudError"

    def __init__(self, message: str, *, status: int = 0) -> None:
        self.message = redact(message)[:MAX_MESSAGE]
        self.status = status
        super().__init__(self.message)


class InvalidRequest(CloudError):
    """400: the cloud does not accept what was asked for; asking again does not help."""

    code = "InvalidRequest"


class Unauthorized(CloudError):
    """401: the credential is wrong, expired or was revoked."""

    code = "Unauthorized"


class Forbidden(CloudError):
    """403: the credential is valid but may not do this."""

    code = "Forbidden"


class NotFound(CloudError):
    """404: it does not exist, or belongs to another project."""

    code = "NotFound"


class Conflict(CloudError):
    """409: in use, already there, or in a state that does not allow it."""

    code = "Conflict"


class QuotaExceeded(CloudError):
    """The project may not have more of `what` (for example "instances", "port")."""

    code = "QuotaExceeded"

    def __init__(self, message: str, *, status: int = 0, what: str = "") -> None:
        super().__init__(message, status=status)
        self.what = what


class RateLimited(CloudError):
    """429: ask again in `retry_after` seconds."""

    code = "RateLimited"

    def __init__(self, message: str, *, status: int = 0, retry_after: float = 1.0) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class Unavailable(CloudError):
    """No answer, or a 5xx. The call may nevertheless have been performed."""

    code = "CloudUnavailable"


_BY_STATUS: dict[int, type[CloudError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
}

#: What is exceeded when a server group takes no more servers.
GROUP_MEMBERS = "server_group_members"

_QUOTA = re.compile(r"quota", re.IGNORECASE)
_NOVA_QUOTA = re.compile(r"exceeded for ([a-z_]+(?:, ?[a-z_]+)*):", re.IGNORECASE)
_FULL_GROUP = "too many servers in group"  # nova.exception.QuotaError of the compute API
_NEUTRON_QUOTA = re.compile(r"for resources: \[([^]]*)\]", re.IGNORECASE)


def error_from(status: int, body: bytes, retry_after: str | None = None) -> CloudError:
    """The error that an answer with an error status means."""
    message, kind = _read(body)
    message = message or f"the cloud answered {status}"
    if status == 429 or (status == 413 and retry_after is not None):
        return RateLimited(message, status=status, retry_after=_seconds(retry_after))
    if status == 413 or (status in (403, 409) and (kind == "OverQuota" or _QUOTA.search(message))):
        return QuotaExceeded(message, status=status, what=_quota_resource(message))
    if status >= 500:
        return Unavailable(message, status=status)
    return _BY_STATUS.get(status, InvalidRequest)(message, status=status)


def _read(body: bytes) -> tuple[str, str]:
    """Message and type of an error body. Nova, Neutron, Keystone and LBaaS all answer
    `{NAME: {"message": …}}` with a NAME of their own; proxies in between answer anything."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "", ""
    if not isinstance(decoded, dict):
        return "", ""
    for value in decoded.values():
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            return value["message"], str(value.get("type", ""))
        if isinstance(value, str):
            return value, ""
    return "", ""


def _quota_resource(message: str) -> str:
    if match := _NEUTRON_QUOTA.search(message):
        return match.group(1).replace("'", "").replace(" ", "")
    if match := _NOVA_QUOTA.search(message):
        return match.group(1).replace(" ", "")
    if _FULL_GROUP in message:
        return GROUP_MEMBERS
    return ""


def _seconds(retry_after: str | None) -> float:
    try:
        return max(0.0, float(retry_after)) if retry_after is not None else 1.0
    except ValueError:  # an HTTP date: rare enough to treat as "soon"
        return 1.0
