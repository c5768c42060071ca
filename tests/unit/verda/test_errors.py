"""Answers of OpenStack's services, as errors of the domain."""

from __future__ import annotations

import pytest

from vks.verda.errors import (
    CloudError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Unauthorized,
    Unavailable,
    error_from,
)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"badRequest": {"code": 400, "message": "no"}}', InvalidRequest),
        (401, b'{"error": {"code": 401, "message": "no"}}', Unauthorized),
        (403, b'{"forbidden": {"code": 403, "message": "policy"}}', Forbidden),
        (404, b'{"itemNotFound": {"message": "gone"}}', NotFound),
        (409, b'{"NeutronError": {"type": "IpAddressInUse", "message": "in use"}}', Conflict),
        (500, b"<html>oops</html>", Unavailable),
        (503, b"", Unavailable),
        (418, b"", InvalidRequest),
    ],
)
def test_a_status_means_an_error(status: int, body: bytes, kind: type[CloudError]) -> None:
    error = error_from(status, body)
    assert type(error) is kind
    assert error.status == status
    assert error.message


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (
            403,
            b'{"forbidden": {"message": "Quota exceeded for instances, cores: Requested 1, 2"}}',
            "instances,cores",
        ),
        (
            409,
            b'{"NeutronError": {"type": "OverQuota", '
            b'"message": "Quota exceeded for resources: [\'port\']."}}',
            "port",
        ),
        (413, b'{"error": {"message": "too many load balancers"}}', ""),
        (
            403,
            b'{"forbidden": {"message": "Quota exceeded, too many servers in group"}}',
            "server_group_members",
        ),
    ],
)
def test_a_quota_names_what_is_exhausted(status: int, body: bytes, what: str) -> None:
    error = error_from(status, body)
    assert isinstance(error, QuotaExceeded)
    assert error.what == what


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), (None, 1.0), ("Mon, 01 Jan 2035 00:00:00 GMT", 1.0)]
)
def test_a_rate_limit_says_when_to_come_back(header: str | None, seconds: float) -> None:
    error = error_from(429, b"", header)
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


def test_a_message_that_echoes_user_data_does_not_leak_it() -> None:
    echoed = "SGVsbG8g" * 40
    error = error_from(400, f'{{"badRequest": {{"message": "Invalid: {echoed}"}}}}'.encode())
    assert echoed[:130] not in error.message
    assert "[redacted]" in error.message
