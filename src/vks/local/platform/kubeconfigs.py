"""Kubeconfig files for the management cluster."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from vks.local.platform.pki import KeyPair


def kubeconfig(name: str, server: str, authority: Path, user: KeyPair) -> str:
    """A self-contained kubeconfig: certificates are inside, so that it may be copied."""
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64_of(authority),
                },
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": base64_of(user.certificate),
                    "client-key-data": base64_of(user.key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False)


def base64_of(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
