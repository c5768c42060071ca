"""Kubeconfigs: of components on a node, and of the administrator."""

from __future__ import annotations

import base64

import yaml

from vks.legacy.plan.facts import KeyPair


def kubeconfig(name: str, server: str, authority: str, user: KeyPair) -> str:
    """Self-contained: certificate and key are inside."""
    access = {"server": server, "certificate-authority-data": _text(authority)}
    identity = {
        "client-certificate-data": _text(user.certificate),
        "client-key-data": _text(user.key),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": access}],
        "users": [{"name": name, "user": identity}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _text(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
