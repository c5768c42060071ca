"""Secrets of a cluster and its nodes: made once, owned by what they belong to, read back later."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping

import msgspec

from vks.kube.client import Client
from vks.kube.errors import AlreadyExists, NotFound
from vks.kube.objects import KubeObject, owner_reference
from vks.legacy import pki
from vks.legacy.plan.certificates import MASTERS, Wanted
from vks.legacy.plan.facts import KeyPair
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.core import Secret
from vks.resources.legacycluster import (
    LegacyCluster,
    authority_name,
    keys_name,
    kubeconfig_name,
)
from vks.resources.legacynode import LegacyNode
from vks.runtime.result import Waiting

TOKEN_KEY = "token"  # noqa: S105 - the key's name
OPAQUE = "Opaque"
_MANAGER = "vks-legacy"


def token_name(node: str) -> str:
    """The Secret by which the hub knows a node's agent."""
    return f"{node}-agent"


def certificates_name(node: str) -> str:
    return f"{node}-certificates"


class ClusterKeys(msgspec.Struct, frozen=True):
    """What a cluster is signed and encrypted with. The repr shows no key."""

    authority: KeyPair
    requestheader: KeyPair
    service_account: str
    encryption: str
    admin: KeyPair

    def __repr__(self) -> str:
        return "ClusterKeys(…)"


class Vault:
    """Reads what was read before from memory: none of it ever changes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._clusters: dict[str, ClusterKeys] = {}
        self._nodes: dict[str, dict[str, dict[str, KeyPair]]] = {}  # by uid, by Secret

    async def cluster(self, cluster: LegacyCluster) -> ClusterKeys:
        """The keys of a cluster, made if it has none. Raises ApiError, Waiting."""
        uid = cluster.metadata.uid
        if uid not in self._clusters:
            authority = await self._authority(cluster)
            self._clusters[uid] = await self._keys(cluster, authority)
        return self._clusters[uid]

    async def certificates(
        self, node: LegacyNode, keys: ClusterKeys, wanted: Mapping[str, Wanted]
    ) -> dict[str, KeyPair]:
        """The certificates of a node, made if it has none. Raises ApiError, Waiting."""
        return await self._issued(node, certificates_name(node.metadata.name), keys, wanted)

    async def server_certificates(
        self, node: LegacyNode, keys: ClusterKeys, wanted: Mapping[str, Wanted]
    ) -> dict[str, KeyPair]:
        """Those that replace some of a node's own, for other names: each set of names has a Secret
        of its own, so that what was before can be had back. Raises ApiError, Waiting."""
        names = msgspec.json.encode({name: want.names for name, want in wanted.items()})
        digest = hashlib.sha256(names).hexdigest()[:10]
        secret = f"{certificates_name(node.metadata.name)}-{digest}"
        return await self._issued(node, secret, keys, wanted)

    async def _issued(
        self, node: LegacyNode, secret: str, keys: ClusterKeys, wanted: Mapping[str, Wanted]
    ) -> dict[str, KeyPair]:
        known = self._nodes.setdefault(node.metadata.uid, {})
        if secret not in known:

            def make() -> dict[str, str]:
                made = {name: pki.issue(_signer(keys, want), want) for name, want in wanted.items()}
                return {
                    file: text
                    for name, pair in made.items()
                    for file, text in ((f"{name}.crt", pair.certificate), (f"{name}.key", pair.key))
                }

            data = await self._ensure(node, secret, make)
            known[secret] = {
                name: KeyPair(data[f"{name}.crt"], data[f"{name}.key"]) for name in wanted
            }
        return dict(known[secret])

    async def token(self, node: LegacyNode) -> str:
        """What the node's agent shows to the hub. Raises ApiError, Waiting."""
        name = token_name(node.metadata.name)
        data = await self._ensure(node, name, lambda: {TOKEN_KEY: secrets.token_urlsafe(32)})
        return data[TOKEN_KEY]

    async def forget(self, cluster: LegacyCluster) -> None:
        """Deletes a cluster's keys: a cluster of the same name must not find them."""
        self._clusters.pop(cluster.metadata.uid, None)
        name, namespace = cluster.metadata.name, cluster.metadata.namespace
        for secret in (authority_name(name), keys_name(name), kubeconfig_name(name)):
            try:
                found = await self._client.get(Secret, secret, namespace)
            except NotFound:
                continue
            if _owned(found, cluster):
                await self._client.delete(Secret, secret, namespace, uid=found.metadata.uid)

    def forget_node(self, node: LegacyNode) -> None:
        self._nodes.pop(node.metadata.uid, None)

    async def _authority(self, cluster: LegacyCluster) -> KeyPair:
        def make() -> dict[str, str]:
            pair = pki.new_authority("kube-ca")
            return {"tls.crt": pair.certificate, "tls.key": pair.key}

        data = await self._ensure(cluster, authority_name(cluster.metadata.name), make)
        return KeyPair(data["tls.crt"], data["tls.key"])

    async def _keys(self, cluster: LegacyCluster, authority: KeyPair) -> ClusterKeys:
        def make() -> dict[str, str]:
            requestheader = pki.new_authority("kube-apiserver-requestheader-ca")
            admin = pki.issue(authority, Wanted(common_name="kube-admin", organization=MASTERS))
            return {
                "requestheader.crt": requestheader.certificate,
                "requestheader.key": requestheader.key,
                "service-account.key": pki.new_signing_key(),
                "encryption": pki.new_encryption_key(),
                "admin.crt": admin.certificate,
                "admin.key": admin.key,
            }

        data = await self._ensure(cluster, keys_name(cluster.metadata.name), make)
        return ClusterKeys(
            authority=authority,
            requestheader=KeyPair(data["requestheader.crt"], data["requestheader.key"]),
            service_account=data["service-account.key"],
            encryption=data["encryption"],
            admin=KeyPair(data["admin.crt"], data["admin.key"]),
        )

    async def _ensure(
        self, owner: KubeObject, name: str, make: Callable[[], dict[str, str]]
    ) -> dict[str, str]:
        """The Secret's data. Creation is the compare-and-swap: whoever is second reads."""
        namespace = owner.metadata.namespace
        try:
            secret = await self._client.get(Secret, name, namespace)
        except NotFound:
            body = secret_body(owner, name, await asyncio.to_thread(make))
            try:
                secret = await self._client.create(Secret, body, field_manager=_MANAGER)
            except AlreadyExists:
                secret = await self._client.get(Secret, name, namespace)
        if not _owned(secret, owner):
            raise Waiting("SecretOfAnother", f"Secret {name} belongs to something else", 5.0)
        return {key: base64.b64decode(value).decode() for key, value in secret.data.items()}


def secret_body(owner: KubeObject, name: str, data: Mapping[str, str]) -> dict[str, object]:
    """A Secret that goes with its owner."""
    cluster = owner.metadata.labels.get(CLUSTER_NAME_LABEL, owner.metadata.name)
    return {
        "metadata": {
            "name": name,
            "namespace": owner.metadata.namespace,
            "labels": {CLUSTER_NAME_LABEL: cluster},
            "ownerReferences": [owner_reference(owner)],
        },
        "type": OPAQUE,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def _owned(secret: Secret, owner: KubeObject) -> bool:
    return any(ref.uid == owner.metadata.uid for ref in secret.metadata.owner_references)


def _signer(keys: ClusterKeys, wanted: Wanted) -> KeyPair:
    return keys.requestheader if wanted.front_proxy else keys.authority
