"""The credential that a user gets for a cluster."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.support.pki import authority

from vks.service.api.kubeconfig import ADMIN_GROUP, issue, user_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_certificate_is_the_users_signed_by_the_cluster_and_short_lived() -> None:
    ca_certificate, ca_key = authority(NOW)
    text = issue(
        cluster="demo",
        server="https://10.60.0.5:6443",
        ca_certificate=ca_certificate,
        ca_key=ca_key,
        user="alice",
        expires=NOW + timedelta(hours=12),
        now=NOW,
        proxy_url="http://127.0.0.1:7081",
    )
    config = yaml.safe_load(text)
    assert config["clusters"][0]["cluster"]["proxy-url"] == "http://127.0.0.1:7081"
    user = config["users"][0]["user"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca_certificate))
    names = {a.oid: a.value for a in certificate.subject}
    assert names == {NameOID.COMMON_NAME: "alice", NameOID.ORGANIZATION_NAME: ADMIN_GROUP}
    assert certificate.not_valid_after_utc == NOW + timedelta(hours=12)


@pytest.mark.parametrize(
    ("name", "user"),
    [("alice", "alice"), ("system:admin", "verda:u1"), ("x" * 65, "verda:u1")],
)
def test_a_name_that_kubernetes_reserves_or_that_is_too_long_is_replaced(
    name: str, user: str
) -> None:
    assert user_of(name, "u1") == user
