"""A refused request, before it is put into the words of one service."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class ApiError(Exception):
    """An answer with an error status.

    `kind` is the machine-readable type where the service has one (Neutron's exception names).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = dict(headers or {})

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase


def bad_request(message: str, kind: str = "") -> ApiError:
    return ApiError(400, message, kind=kind)


def unauthorized(message: str = "The request you have made requires authentication.") -> ApiError:
    return ApiError(401, message)


def forbidden(message: str, kind: str = "") -> ApiError:
    return ApiError(403, message, kind=kind)


def not_found(message: str, kind: str = "") -> ApiError:
    return ApiError(404, message, kind=kind)


def conflict(message: str, kind: str = "") -> ApiError:
    return ApiError(409, message, kind=kind)
