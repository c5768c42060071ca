"""A certificate authority for a test's API server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Pki:
    """Files of one authority, a server certificate for loopback and an administrator's."""

    ca: Path
    ca_key: Path
    server_cert: Path
    server_key: Path
    admin_cert: Path
    admin_key: Path

    @classmethod
    def create(cls, directory: Path) -> Pki:
        """Makes everything below `directory`."""
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca_name = _name("test-ca")
        ca = _builder(ca_name, ca_name, ca_key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        ca_cert = ca.sign(ca_key, hashes.SHA256())
        pki = cls(
            ca=directory / "ca.crt",
            ca_key=directory / "ca.key",
            server_cert=directory / "server.crt",
            server_key=directory / "server.key",
            admin_cert=directory / "admin.crt",
            admin_key=directory / "admin.key",
        )
        pki.ca.write_bytes(ca_cert.public_bytes(serialization.Encoding.PEM))
        pki.ca_key.write_bytes(_private_pem(ca_key))
        addresses = x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        )
        for subject, usage, cert_path, key_path in (
            (
                _name("kube-apiserver"),
                ExtendedKeyUsageOID.SERVER_AUTH,
                pki.server_cert,
                pki.server_key,
            ),
            (
                _name("admin", "system:masters"),
                ExtendedKeyUsageOID.CLIENT_AUTH,
                pki.admin_cert,
                pki.admin_key,
            ),
        ):
            key = ec.generate_private_key(ec.SECP256R1())
            cert = (
                _builder(subject, ca_name, key)
                .add_extension(addresses, critical=False)
                .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
                .sign(ca_key, hashes.SHA256())
            )
            cert_path.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
            key_path.write_bytes(_private_pem(key))
        return pki


def authority(now: datetime) -> tuple[bytes, bytes]:
    """Certificate and RSA key of an authority that begins now, as kubeadm writes them."""
    key = rsa.generate_private_key(65537, 2048)
    name = _name("kubernetes")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return certificate.public_bytes(pem), private


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _name(common_name: str, organisation: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=2))
    )
