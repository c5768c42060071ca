"""Secrets do not leave the process."""

from __future__ import annotations

import pytest

from vks.verda.redact import HIDDEN, redact


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (
            "kubeadm join 10.60.0.2 --token abcdef.0123456789abcdef",
            "abcdef.0123456789abcdef",
        ),
        ("--certificate-key 6f6e6c79666f7274657374736f6e6c79", "6f6e6c79666f7274657374736f6e6c79"),
        ("password: hunter2-hunter2", "hunter2-hunter2"),
        ('"secret": "s3cr3t-value"', "s3cr3t-value"),
        ("X-Auth-Token: gAAAAABm1234567890abcdefghij", "gAAAAABm1234567890abcdefghij"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nok",
            "MIIE",
        ),
        ("-----BEGIN EC PRIVATE KEY-----\nMHcC cut off", "MHcC"),
        ("bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJl.c2ln", "eyJhbGciOiJSUzI1NiJ9"),
    ],
)
def test_a_credential_is_hidden(text: str, secret: str) -> None:
    hidden = redact(text)
    assert secret not in hidden
    assert HIDDEN in hidden


@pytest.mark.parametrize(
    "text",
    [
        "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances",
        "Port 7d0c9b1e-3f4a-4b1c-9a51-0d6b7f1a2c33 is still in use.",
        "[    3.141592] systemd[1]: Started kubelet.service",
        "--discovery-token-ca-cert-hash sha256:" + "ab" * 32,
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text
