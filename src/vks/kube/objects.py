"""Typed Kubernetes objects as frozen msgspec Structs.

Only the fields that somebody reads are declared: decoding skips the rest (`managedFields`
above all), which is why a typed object must never be written back whole. Writes are
server-side apply bodies or JSON patches (see `vks.kube.client`).
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import msgspec


class Resource(NamedTuple):
    """Where a kind lives in the API: what RESTMapping is to Go clients."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def base_path(self) -> str:
        """The URL prefix of the group version, for example `/apis/apps/v1` or `/api/v1`."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


class Key(NamedTuple):
    """Names one object of a kind; `namespace` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


#: What Key() does in the end, without its call in Python: keys are made all the time.
_new = tuple.__new__

#: Words that Kubernetes writes in capitals when they are not the first (API conventions).
_ACRONYMS = {
    **{"id": "ID", "ids": "IDs", "cidr": "CIDR", "cidrs": "CIDRs", "ip": "IP"},
    "gib": "GiB",
}


def json_name(name: str) -> str:
    """The wire name of a field: `provider_id` is `providerID`, `pod_cidrs` is `podCIDRs`."""
    first, *rest = name.split("_")
    return first + "".join(_ACRONYMS.get(word, word.capitalize()) for word in rest)


class KubeStruct(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=json_name):
    """Base of every nested part of an object: immutable, camelCase on the wire."""


class OwnerReference(KubeStruct, frozen=True, kw_only=True):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


class ObjectMeta(KubeStruct, frozen=True, kw_only=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class Condition(KubeStruct, frozen=True, kw_only=True):
    """`metav1.Condition`; `status` is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class KubeObject(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=json_name):
    """Base of every kind. Subclasses set the class variable `resource`."""

    resource: ClassVar[Resource]
    #: True when the server should send nothing but the metadata.
    metadata_only: ClassVar[bool] = False

    metadata: ObjectMeta = ObjectMeta()

    @property
    def key(self) -> Key:
        meta = self.metadata
        return _new(Key, (meta.namespace, meta.name))

    @property
    def deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None


class PartialObjectMetadata(KubeObject, frozen=True):
    """Base of metadata-only kinds: the server leaves out the rest.

    Controllers cache Secrets this way, so that no key material sits in their memory.
    """

    metadata_only = True


def find_condition(conditions: tuple[Condition, ...], type_: str) -> Condition | None:
    """The condition of that type, or None."""
    return next((c for c in conditions if c.type == type_), None)


def owner_reference(owner: KubeObject, *, controller: bool = False) -> dict[str, Any]:
    """An owner reference to `owner`, as an apply body wants it."""
    resource = type(owner).resource
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": controller,
        "blockOwnerDeletion": controller,
    }
