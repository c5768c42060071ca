"""Which microversion a request speaks, negotiated as Nova does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vks.local.cloud.http.errors import ApiError, bad_request

MINIMUM, MAXIMUM = (2, 1), (2, 96)
_FORMAT = re.compile(r"([1-9]\d*)\.([1-9]\d*|0)")


def negotiate(headers: Mapping[str, str]) -> tuple[int, int]:
    """Raises ApiError 400 for a malformed version and 406 for one that is not supported."""
    wanted = _requested(headers)
    if wanted is None:
        return MINIMUM
    if wanted == "latest":
        return MAXIMUM
    found = _FORMAT.fullmatch(wanted)
    if found is None:
        raise bad_request(
            f"API Version String {wanted} is of invalid format. Must be of format "
            "MajorNum.MinorNum."
        )
    version = (int(found[1]), int(found[2]))
    if not MINIMUM <= version <= MAXIMUM:
        raise ApiError(
            406,
            f"Version {wanted} is not supported by the API. Minimum is {text(MINIMUM)} and "
            f"maximum is {text(MAXIMUM)}.",
        )
    return version


def text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def answer_headers(version: tuple[int, int]) -> dict[str, str]:
    return {
        "OpenStack-API-Version": f"compute {text(version)}",
        "X-OpenStack-Nova-API-Version": text(version),
        "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    }


def _requested(headers: Mapping[str, str]) -> str | None:
    """The new header names the service first; the old one is Nova's own."""
    for part in headers.get("OpenStack-API-Version", "").split(","):
        service, _, version = part.strip().partition(" ")
        if service.lower() == "compute":
            return version.strip()
    return headers.get("X-OpenStack-Nova-API-Version")
