"""Keys in Cluster API's form: the same keys."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from tests.unit.legacy.builders import VOTER, cluster_facts, node_facts
from tests.unit.migration.builders import VIP, legacy_cluster, legacy_node

from vks.kube.config import ClientConfig
from vks.legacy import pki
from vks.legacy.plan.certificates import MASTERS, Wanted
from vks.legacy.plan.controlplane import control_plane_files
from vks.migration.adopt.inherited import inherited
from vks.migration.adopt.secrets import SECRET_TYPE, kubeconfig, secrets
from vks.migration.finalize.credentials import is_of

CA = pki.new_authority("kube-ca")
FRONT = pki.new_authority("front")
ADMIN = pki.issue(CA, Wanted(common_name="kube-admin", organization=MASTERS))
AUTHORITY = {"tls.crt": CA.certificate.encode(), "tls.key": CA.key.encode()}
KEYS = {
    "requestheader.crt": FRONT.certificate.encode(),
    "requestheader.key": FRONT.key.encode(),
    "service-account.key": pki.new_signing_key().encode(),
    "encryption": pki.new_encryption_key().encode(),
    "admin.crt": ADMIN.certificate.encode(),
    "admin.key": ADMIN.key.encode(),
}


def made() -> dict[str, dict[str, bytes]]:
    return {
        body["metadata"]["name"]: {
            key: base64.b64decode(value) for key, value in body["data"].items()
        }
        for body in secrets(legacy_cluster(), AUTHORITY, KEYS)
    }


def test_every_key_is_the_one_that_the_cluster_lives_by() -> None:
    found = made()
    assert found.keys() == {"old-etcd", "old-proxy", "old-sa", "old-encryption"}
    assert found["old-etcd"] == AUTHORITY
    assert found["old-proxy"]["tls.crt"] == KEYS["requestheader.crt"]
    signing = load_pem_private_key(found["old-sa"]["tls.key"], None)
    assert load_pem_public_key(found["old-sa"]["tls.crt"]) == signing.public_key()


def test_cluster_api_finds_them_and_keeps_them() -> None:
    for body in secrets(legacy_cluster(), AUTHORITY, KEYS):
        assert body["metadata"]["labels"] == {"cluster.x-k8s.io/cluster-name": "old"}
        assert body["type"] == SECRET_TYPE


def test_what_is_encrypted_stays_readable() -> None:
    """Word for word what the legacy nodes have."""
    key = KEYS["encryption"].decode()
    files = control_plane_files(cluster_facts(encryption_key=key), node_facts(etcd=VOTER))
    (file,) = (file for file in files if file.path.endswith("encryption.yaml"))
    assert made()["old-encryption"]["config.yaml"].decode() == file.content


@pytest.mark.parametrize("missing", ["requestheader.key", "service-account.key", "encryption"])
def test_no_key_is_made_up(missing: str) -> None:
    keys = {name: value for name, value in KEYS.items() if name != missing}
    with pytest.raises(KeyError, match=missing):
        secrets(legacy_cluster(), AUTHORITY, keys)


def test_the_way_in_leads_through_the_load_balancer() -> None:
    body = kubeconfig(legacy_cluster(), VIP, AUTHORITY, KEYS)
    content = base64.b64decode(body["data"]["value"])
    assert ClientConfig.from_kubeconfig(content).server == "https://192.0.2.10:6443"
    assert [entry["name"] for entry in yaml.safe_load(content)["clusters"]] == ["old"]


def test_the_legacy_provisioners_credential_is_known_again() -> None:
    own = kubeconfig(legacy_cluster(), VIP, AUTHORITY, KEYS)
    other = pki.issue(CA, Wanted(common_name="kubernetes-admin", organization=MASTERS))
    keys = {**KEYS, "admin.crt": other.certificate.encode()}
    assert is_of(base64.b64decode(own["data"]["value"]), KEYS)
    assert not is_of(base64.b64decode(own["data"]["value"]), keys)


ARGUMENTS = {
    "kube-apiserver": {
        "--service-account-issuer": "vks-legacy",
        "--encryption-provider-config": "/etc/vks-legacy/encryption.yaml",
    },
    "kube-scheduler": {},
}


def test_the_control_plane_inherits_flags_names_and_encryption_but_nothing_of_the_nodes() -> None:
    node = legacy_node("cp-a")
    names = (
        "cp-a",
        node.status.address,
        "kubernetes.default",
        "the load balancer's address",
        "api.x",
    )
    body: dict[str, Any] = inherited(legacy_cluster(), [node], ARGUMENTS, names, VIP)
    assert body == {
        "apiServerArgs": {"service-account-issuer": "vks-legacy"},
        "serverNames": ["192.0.2.10", "api.x"],
        "encryptionSecret": "old-encryption",
        "onHold": "Cluster",
    }


def test_a_cluster_that_encrypts_nothing_is_given_no_key() -> None:
    body = inherited(legacy_cluster(), [], {"kube-apiserver": {}}, (), VIP)
    assert "encryptionSecret" not in body
