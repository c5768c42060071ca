"""Short-lived kubeconfigs: a client certificate signed with the cluster's own CA."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: The group that kubeadm binds to cluster-admin.
ADMIN_GROUP = "kubeadm:cluster-admins"
_SKEW = timedelta(minutes=5)
_MAX_COMMON_NAME = 64


def issue(
    *,
    cluster: str,
    server: str,
    ca_certificate: bytes,
    ca_key: bytes,
    user: str,
    expires: datetime,
    now: datetime,
    proxy_url: str | None,
) -> str:
    """The kubeconfig as YAML. Raises ValueError when the CA's PEM is unusable."""
    authority = x509.load_pem_x509_certificate(ca_certificate)
    signer = load_pem_private_key(ca_key, password=None)
    if not isinstance(signer, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("the cluster's CA key is neither RSA nor EC")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ADMIN_GROUP),
            x509.NameAttribute(NameOID.COMMON_NAME, user),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    client_key = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    access = {"server": server, "certificate-authority-data": _text(ca_certificate)}
    if proxy_url is not None:
        access["proxy-url"] = proxy_url
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": access}],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _text(
                        certificate.public_bytes(serialization.Encoding.PEM)
                    ),
                    "client-key-data": _text(client_key),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
    }
    return yaml.safe_dump(document, sort_keys=False)


def user_of(user_name: str, user_id: str) -> str:
    """The user that the cluster's API server and its audit log see.

    A name that does not fit a certificate, or that Kubernetes reserves, is replaced by the id.
    """
    if len(user_name) <= _MAX_COMMON_NAME and not user_name.startswith("system:"):
        return user_name
    return f"verda:{user_id}"[:_MAX_COMMON_NAME]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
