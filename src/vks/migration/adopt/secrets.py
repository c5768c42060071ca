"""Pure: a cluster's authorities and keys in the form in which Cluster API looks for them.

A certificate that is missing is one that the control plane provider makes anew, for a cluster that
lives by the old one: all of them exist before it sees the cluster.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization

from vks.resources import encryption
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.fields import Endpoint
from vks.resources.legacycluster import LegacyCluster, kubeconfig_name

Body = dict[str, Any]

#: Of Secrets that Cluster API keeps, and rotates where it can.
SECRET_TYPE = "cluster.x-k8s.io/secret"  # noqa: S105 - a type


def encryption_name(cluster: str) -> str:
    return f"{cluster}-encryption"


def secrets(
    cluster: LegacyCluster, authority: Mapping[str, bytes], keys: Mapping[str, bytes]
) -> list[Body]:
    """etcd's authority is the cluster's own; service accounts keep the key that signed every token
    there is. Raises KeyError for what is missing."""
    signing = keys["service-account.key"]
    return [
        _secret(cluster, "etcd", authority["tls.crt"], authority["tls.key"]),
        _secret(cluster, "proxy", keys["requestheader.crt"], keys["requestheader.key"]),
        _secret(cluster, "sa", public_key(signing), signing),
        _body(
            cluster,
            encryption_name(cluster.metadata.name),
            {encryption.FILE_NAME: encryption.configuration(keys["encryption"].decode()).encode()},
        ),
    ]


def kubeconfig(
    cluster: LegacyCluster,
    endpoint: Endpoint,
    authority: Mapping[str, bytes],
    keys: Mapping[str, bytes],
) -> Body:
    """The way in by the load balancer. Cluster API looks the cluster up by its name in it when it
    renews the certificate (util/kubeconfig, RegenerateSecret)."""
    name = cluster.metadata.name
    access = {
        "server": f"https://{endpoint.host}:{endpoint.port}",
        "certificate-authority-data": _text(authority["tls.crt"]),
    }
    identity = {
        "client-certificate-data": _text(keys["admin.crt"]),
        "client-key-data": _text(keys["admin.key"]),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": access}],
        "users": [{"name": f"{name}-admin", "user": identity}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-admin"}}],
        "current-context": name,
    }
    content = yaml.safe_dump(document, sort_keys=False).encode()
    return _body(cluster, kubeconfig_name(name), {"value": content})


def public_key(private: bytes) -> bytes:
    """The PEM of the public half. Raises ValueError for what is no key."""
    public = serialization.load_pem_private_key(private, None).public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _secret(cluster: LegacyCluster, purpose: str, certificate: bytes, key: bytes) -> Body:
    name = f"{cluster.metadata.name}-{purpose}"
    return _body(cluster, name, {"tls.crt": certificate, "tls.key": key})


def _body(cluster: LegacyCluster, name: str, data: Mapping[str, bytes]) -> Body:
    return {
        "metadata": {
            "name": name,
            "namespace": cluster.metadata.namespace,
            "labels": {CLUSTER_NAME_LABEL: cluster.metadata.name},
        },
        "type": SECRET_TYPE,
        "data": {key: _text(value) for key, value in data.items()},
    }


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
