"""Applies manifests to a cluster, by calls through the agent of a control plane."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import msgspec
import yaml

from vks.kube.client import APPLY, Client
from vks.kube.errors import NotFound
from vks.legacy.server.hub import Session
from vks.resources.core import ConfigMap
from vks.resources.legacycluster import LegacyCluster
from vks.runtime.result import Waiting

_MANAGER = "vks-legacy"
#: What add-ons may consist of, with its plural.
_KINDS = {
    "ServiceAccount": "serviceaccounts",
    "ConfigMap": "configmaps",
    "Service": "services",
    "Namespace": "namespaces",
    "Deployment": "deployments",
    "DaemonSet": "daemonsets",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}

Body = dict[str, Any]


class AddOns:
    """Remembers what was applied: the same manifests are not sent twice by one process."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._applied: dict[str, str] = {}

    async def apply(self, cluster: LegacyCluster, session: Session, system: Iterable[Body]) -> None:
        """The system's objects and the cluster's add-ons. Raises CallFailed, Waiting for add-ons
        that are missing or unusable, ApiError."""
        documents = [*system, *await self._documents(cluster)]
        paths = [_path(document) for document in documents]
        encoded = msgspec.json.encode(documents, order="deterministic")
        digest = hashlib.sha256(encoded).hexdigest()
        uid = cluster.metadata.uid
        if self._applied.get(uid) == digest:
            return
        for path, document in zip(paths, documents, strict=True):
            query = f"?fieldManager={_MANAGER}&force=true"
            body = msgspec.json.encode(document).decode()
            await session.call("api", "PATCH", path + query, body, content_type=APPLY)
        self._applied[uid] = digest

    def forget(self, cluster: LegacyCluster) -> None:
        self._applied.pop(cluster.metadata.uid, None)

    async def _documents(self, cluster: LegacyCluster) -> list[Body]:
        reference = cluster.spec.add_ons
        if reference is None:
            return []
        name = reference.name
        try:
            found = await self._client.get(ConfigMap, name, cluster.metadata.namespace)
            texts = [text for _, text in sorted(found.data.items())]
            return [doc for text in texts for doc in yaml.safe_load_all(text) if doc]
        except NotFound:
            raise Waiting("AddOnsNotFound", f"ConfigMap {name} does not exist", 5.0) from None
        except yaml.YAMLError as error:
            raise Waiting("AddOnsInvalid", f"ConfigMap {name}: {error}", 30.0) from None


def _path(document: Body) -> str:
    """Raises Waiting for what cannot be an add-on."""
    try:
        kind, version, meta = document["kind"], document["apiVersion"], document["metadata"]
        plural, name = _KINDS[kind], meta["name"]
    except (KeyError, TypeError) as error:
        raise Waiting("AddOnsInvalid", f"no add-on can hold {error}", 30.0) from None
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = meta.get("namespace")
    place = f"/namespaces/{quote(namespace)}" if namespace else ""
    return f"{base}{place}/{plural}/{quote(name)}"
