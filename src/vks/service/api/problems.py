"""Errors as RFC 9457 problem documents with stable codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.requests import Request

from vks.kube import errors as kube
from vks.service.api.shapes import MEANING
from vks.verda import errors as verda

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One field of the request and what is wrong with it."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    request_id: str = Field(alias="requestId")
    errors: list[FieldProblem] = []


#: Every code, its status and its title: codes are part of the API and do not change.
TITLES = {
    "bad_request": (400, "Malformed request"),
    "unauthenticated": (401, "Not authenticated"),
    "forbidden": (403, "Not allowed"),
    "not_found": (404, "Not found"),
    "reference_not_found": (404, "A referenced object was not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "already_exists": (409, "Already exists"),
    "conflict": (409, "Conflict"),
    "deletion_protected": (409, "Protected from deletion"),
    "not_ready": (409, "Not ready yet"),
    "under_maintenance": (409, "The cluster is under maintenance"),
    "upgrade_blocked": (409, "Upgrade blocked"),
    "precondition_failed": (412, "Precondition failed"),
    "body_too_large": (413, "Body too large"),
    "unsupported_media_type": (415, "Unsupported media type"),
    "invalid": (422, "Invalid request"),
    "quota_exceeded": (422, "Quota exceeded"),
    "idempotency_key_reused": (422, "Idempotency key used for another request"),
    "too_many_requests": (429, "Too many requests"),
    "internal": (500, "Internal error"),
    "cloud_unavailable": (503, "The cloud does not answer"),
    "management_unavailable": (503, "The management cluster does not answer"),
}


class Problem(Exception):  # noqa: N818 - the RFC's word
    """Ends a request with a problem document."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status, self.title = TITLES[code]
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers or {}

    def response(self, request: Request) -> JSONResponse:
        document = {
            "type": f"urn:vks:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "instance": request.url.path,
            "requestId": request.scope.get("vks.request_id", ""),
            "errors": [error.model_dump() for error in self.errors],
        }
        return JSONResponse(document, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def invalid(errors: Iterable[FieldProblem]) -> Problem:
    found = list(errors)
    count = "1 field is" if len(found) == 1 else f"{len(found)} fields are"
    return Problem("invalid", f"{count} invalid", errors=found)


def of_validation(error: RequestValidationError) -> Problem:
    """What FastAPI found wrong with the form of a request."""
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return Problem("bad_request", "the body is not JSON")
    return invalid(
        FieldProblem(field=_path(item["loc"]), message=_said(item)) for item in error.errors()
    )


def _said(item: dict[str, Any]) -> str:
    """What a check of ours said, without pydantic's "Value error, " before it."""
    context = item.get("ctx", {})
    ours = context.get("error")
    if isinstance(ours, ValueError):
        return str(ours)
    return MEANING.get(context.get("pattern", ""), str(item["msg"]))


def _path(location: Sequence[Any]) -> str:
    parts = [str(part) for part in location[1:]] or [str(part) for part in location]
    return ".".join(parts)


@contextmanager
def absent(detail: str) -> Iterator[None]:
    """Says what the block did not find. Raises Problem."""
    try:
        yield
    except kube.NotFound:
        raise Problem("not_found", detail) from None


def of_kube(error: kube.ApiError) -> Problem:
    """What a management cluster's refusal means to a user."""
    match error:
        case kube.NotFound():
            return Problem("not_found", "there is no such object")
        case kube.AlreadyExists():
            return Problem("already_exists", "an object of this name exists")
        case kube.Conflict():
            return Problem("conflict", "the object changed meanwhile: read it and try again")
        case kube.Invalid():
            return invalid(FieldProblem(field=c.field, message=c.message) for c in error.causes)
        case kube.Gone() | kube.BadRequest():
            return Problem("bad_request", "the continue token is not valid (any more)")
        case kube.TooManyRequests():
            return Problem(
                "too_many_requests", "try again later", headers=_retry(error.retry_after)
            )
    return Problem(
        "management_unavailable",
        "the region's management cluster does not answer",
        headers=_retry(error.retry_after),
    )


def of_cloud(error: verda.CloudError) -> Problem:
    """What the cloud's refusal of a look-up with the caller's token means."""
    match error:
        case verda.Unauthorized():
            return Problem("unauthenticated", "the token is not valid")
        case verda.Forbidden():
            return Problem("forbidden", "the token may not read the project in the cloud")
        case verda.RateLimited():
            return Problem(
                "too_many_requests", "the cloud limits requests", headers=_retry(error.retry_after)
            )
    return Problem("cloud_unavailable", "the cloud does not answer", headers=_retry(None))


def _retry(seconds: float | None) -> dict[str, str]:
    return {"Retry-After": str(max(1, round(seconds or 1)))}


_DOCUMENTED = (400, 401, 403, 404, 409, 412, 413, 422, 429, 503)

#: The error answers of every route, for the OpenAPI document.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": next(title for known, title in TITLES.values() if known == status),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    for status in _DOCUMENTED
}
