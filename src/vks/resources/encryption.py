"""Encryption at rest of clusters that were not kubeadm's from the start: what it says, and where
nodes of kubeadm have it. Whoever writes a part of this and whoever reads it must agree."""

from __future__ import annotations

from typing import Any

import yaml

#: The flag of API servers, without dashes.
FLAG = "encryption-provider-config"
#: The name of the key: it is part of what etcd stores.
KEY_NAME = "vks-legacy-key"
#: The key in the Secret that holds the configuration, and the name of the file on nodes.
FILE_NAME = "config.yaml"
DIRECTORY = "/etc/kubernetes/encryption"
FILE = f"{DIRECTORY}/{FILE_NAME}"


def configuration(key: str) -> str:
    """EncryptionConfiguration: Secrets are encrypted in etcd. `key` is base64."""
    keys = [{"name": KEY_NAME, "secret": key}]
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [
            {"resources": ["secrets"], "providers": [{"aescbc": {"keys": keys}}, {"identity": {}}]}
        ],
    }
    return yaml.safe_dump(document, sort_keys=False)


def extra_volume() -> dict[str, Any]:
    """The directory in the API server's pod, as kubeadm takes it."""
    return {
        "name": "encryption",
        "hostPath": DIRECTORY,
        "mountPath": DIRECTORY,
        "readOnly": True,
        "pathType": "DirectoryOrCreate",
    }
