"""Authorities of a cluster and certificates of its nodes. Blocks: run it in a thread."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vks.legacy.plan.certificates import Wanted
from vks.legacy.plan.facts import KeyPair

#: Nothing renews certificates here, as nothing did in the clusters that this stands for.
LIFETIME = timedelta(days=3650)
_BACKDATE = timedelta(hours=1)
_RSA_BITS = 2048

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def new_authority(name: str) -> KeyPair:
    """A self-signed authority. RSA: Cluster API's tools read no other kind everywhere."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    subject = _name(name)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(_certificate_pem(certificate), _key_pem(key))


def new_signing_key() -> str:
    """The key that signs service accounts' tokens, as PEM."""
    return _key_pem(rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS))


def new_encryption_key() -> str:
    """A key for AES-CBC with 256 bits, in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def issue(authority: KeyPair, wanted: Wanted) -> KeyPair:
    """A certificate for clients, and for servers when it has names. Raises ValueError for an
    authority that is unusable."""
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    signer = serialization.load_pem_private_key(authority.key.encode(), None)
    if not isinstance(signer, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is neither RSA nor EC")
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = _builder(_name(wanted.common_name, wanted.organization), issuer.subject, key)
    if wanted.names:
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
        names = x509.SubjectAlternativeName([_alternative(name) for name in wanted.names])
        builder = builder.add_extension(names, critical=False)
    certificate = (
        builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    return KeyPair(_certificate_pem(certificate), _key_pem(key))


def _name(common_name: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + LIFETIME)
    )


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
