"""From requests about node pools to specs, and back to what a change writes: pure functions."""

from __future__ import annotations

from typing import Any

import msgspec

from vks.resources.fields import Taint
from vks.resources.nodepool import (
    AutoscalingSpec,
    NodePool,
    NodePoolSpec,
    RootVolumeSpec,
    UserScriptSpec,
)
from vks.service.api import pool_models as models
from vks.service.applying import plain

#: Fields of a patch that null takes away; elsewhere null says nothing.
_REMOVABLE = ("key_name", "user_script", "autoscaling", "root_volume")


def pool_spec(
    cluster: str,
    request: models.NodePoolCreate,
    image: str,
    zones: tuple[str, ...],
    version: str | None = None,
    ssh_public_key: str | None = None,
) -> NodePoolSpec:
    """The spec of a new pool; `image` is an id, `zones` are the region's and `version` is the
    cluster's. The key is that of `keyName`."""
    script, scaling, root = request.user_script, request.autoscaling, request.root_volume
    return NodePoolSpec(
        cluster_name=cluster,
        pool_name=request.name,
        replicas=initial_size(request),
        flavor=request.flavor,
        image=image,
        zones=tuple(request.zones) or zones,
        labels=request.labels,
        taints=_taints(request.taints),
        key_name=request.key_name,
        ssh_public_key=ssh_public_key,
        root_volume=RootVolumeSpec(size_gib=root.size_gib) if root else None,
        user_script=UserScriptSpec(**script.model_dump(by_alias=False)) if script else None,
        autoscaling=AutoscalingSpec(min=scaling.min, max=scaling.max) if scaling else None,
        max_surge=request.max_surge,
        max_unavailable=request.max_unavailable,
        drain_timeout_seconds=request.drain_timeout_seconds,
        version=version,
    )


def initial_size(request: models.NodePoolCreate) -> int:
    """How many nodes a new pool starts with."""
    if request.replicas is not None:
        return request.replicas
    return request.autoscaling.min if request.autoscaling else 0


def patched(pool: NodePool, request: models.NodePoolPatch) -> NodePoolSpec:
    """What the pool's spec becomes, but for its static addresses, which depend on who uses them.
    A pool that is no longer autoscaled keeps its size."""
    spec = pool.spec
    given = {
        name: value
        for name in request.model_fields_set - {"static_ip"}
        if (value := getattr(request, name)) is not None or name in _REMOVABLE
    }
    if "labels" in given:
        merged = {**spec.labels, **given["labels"]}
        given["labels"] = {key: value for key, value in merged.items() if value is not None}
    if "taints" in given:
        given["taints"] = _taints(given["taints"])
    if "zones" in given:
        given["zones"] = tuple(given["zones"])
    if given.get("root_volume") is not None:
        given["root_volume"] = RootVolumeSpec(size_gib=given["root_volume"].size_gib)
    if given.get("user_script") is not None:
        changes = given["user_script"].model_dump(by_alias=False, exclude_none=True)
        given["user_script"] = msgspec.structs.replace(
            spec.user_script or UserScriptSpec(), **changes
        )
    if "autoscaling" in given:
        scaling = given["autoscaling"]
        given["autoscaling"] = (
            AutoscalingSpec(min=scaling.min, max=scaling.max) if scaling else None
        )
        if scaling is None:
            given.setdefault("replicas", pool.size)
    return msgspec.structs.replace(spec, **given)


def merge_patch(before: NodePoolSpec, after: NodePoolSpec) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that makes one the other."""
    old, new = plain(before), plain(after)
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        if name == "labels":
            gone = {key: None for key in old["labels"] if key not in value}
            value = {**gone, **value}
        if value != old.get(name):
            patch[name] = value
    return patch


def _taints(taints: list[models.Taint]) -> tuple[Taint, ...]:
    return tuple(Taint(key=t.key, value=t.value, effect=t.effect) for t in taints)
