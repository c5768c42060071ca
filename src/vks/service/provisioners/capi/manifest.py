"""One object that a controller applies, and templates that are named by their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vks.kube.objects import Key, KubeObject, owner_reference
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.managedcluster import ManagedCluster
from vks.service.names import CLUSTER_LABEL, bounded, digest

Body = dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """`body` is everything that our field manager wants to own of the object."""

    model: type[KubeObject]
    body: Body

    @property
    def key(self) -> Key:
        return Key(self.body["metadata"]["namespace"], self.body["metadata"]["name"])


def labels_of(cluster: ManagedCluster, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The labels that everything made for a cluster carries."""
    name = cluster.metadata.name
    return {CLUSTER_NAME_LABEL: name, CLUSTER_LABEL: name, **(more or {})}


def metadata(cluster: ManagedCluster, name: str, labels: Mapping[str, str] | None = None) -> Body:
    """The metadata that everything made for a cluster carries."""
    return {
        "name": name,
        "namespace": cluster.metadata.namespace,
        "labels": labels_of(cluster, labels),
    }


def owned(body: Body, owner: KubeObject) -> Body:
    """`body` with `owner` as an owner: it is garbage-collected with it."""
    reference = owner_reference(owner)
    kept = {key: reference[key] for key in ("apiVersion", "kind", "name", "uid")}
    return {**body, "metadata": {**body["metadata"], "ownerReferences": [kept]}}


def template(
    model: type[KubeObject],
    cluster: ManagedCluster,
    prefix: str,
    spec: Body,
    labels: Mapping[str, str] | None = None,
    *,
    meaning: Body | None = None,
) -> Manifest:
    """A template of machines (`spec` is that of the stamped object), owned by the cluster.

    Its name is `prefix` and the hash of its content: another content is another object, and the
    same content is never written twice under two names. `meaning` stands for the content where
    the same thing can be written in several ways, as packed bytes can.
    """
    content = {"template": {"spec": spec}}
    hashed = content if meaning is None else meaning
    name = f"{bounded(prefix)}-{digest([model.resource.kind, prefix, hashed])}"
    body = {"metadata": metadata(cluster, name, labels), "spec": content}
    return Manifest(model, owned(body, cluster))


def reference(manifest: Manifest) -> Body:
    """Cluster API's version-free reference to an object in the same namespace."""
    resource = manifest.model.resource
    return {"apiGroup": resource.group, "kind": resource.kind, "name": manifest.key.name}
