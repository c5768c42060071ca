"""The proxy lets through fabric addresses only."""

from __future__ import annotations

import ipaddress

import pytest

from vks.local.platform.gateway import RefusedError, parse_connect

FABRIC = ipaddress.IPv4Network("10.60.0.0/16")


def test_a_fabric_address_is_granted() -> None:
    head = b"CONNECT 10.60.0.5:6443 HTTP/1.1\r\nHost: x\r\n\r\n"
    assert parse_connect(head, FABRIC) == ("10.60.0.5", 6443)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "405"),
        (b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT 10.61.0.1:22 HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT 10.60.0.5:0 HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT 10.60.0.5:70000 HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", "400"),
        (b"CONNECT 10.60.0.5 HTTP/1.1\r\n\r\n", "400"),
        (b"\xff\xfe\r\n\r\n", "405"),
    ],
)
def test_anything_else_is_refused(head: bytes, status: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_connect(head, FABRIC)
    assert refused.value.status.startswith(status)
