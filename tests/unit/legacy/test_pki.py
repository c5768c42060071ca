"""Certificates as TLS libraries see them."""

from __future__ import annotations

import base64
import ssl
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from vks.legacy import pki
from vks.legacy.plan.certificates import Wanted
from vks.legacy.plan.facts import KeyPair

AUTHORITY = pki.new_authority("kube-ca")


def loaded(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.encode())


def test_a_servers_certificate_is_good_for_its_names_and_no_other() -> None:
    wanted = Wanted(common_name="kube-etcd", names=("localhost", "10.0.0.1"))
    made = loaded(pki.issue(AUTHORITY, wanted))
    store = Store([loaded(AUTHORITY)])
    for name in (x509.DNSName("localhost"), x509.IPAddress(IPv4Address("10.0.0.1"))):
        PolicyBuilder().store(store).build_server_verifier(name).verify(made, [])
    try:
        PolicyBuilder().store(store).build_server_verifier(x509.DNSName("other")).verify(made, [])
    except x509.verification.VerificationError:
        return
    raise AssertionError("a name that was not asked for is served")


def test_a_client_is_its_name_and_group() -> None:
    made = loaded(pki.issue(AUTHORITY, Wanted(common_name="me", organization="system:masters")))
    assert made.subject.rfc4514_string() == "CN=me,O=system:masters"
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [purpose._name for purpose in usage] == ["clientAuth"]


def test_the_authority_is_one_that_python_accepts() -> None:
    ssl.create_default_context(cadata=AUTHORITY.certificate)


def test_secrets_at_rest_are_encrypted_with_256_bits() -> None:
    assert len(base64.b64decode(pki.new_encryption_key())) == 32
    assert pki.new_encryption_key() != pki.new_encryption_key()


def test_no_key_is_shown() -> None:
    assert "PRIVATE" not in repr(AUTHORITY)
