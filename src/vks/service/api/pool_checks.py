"""What a node pool's settings may be, whatever the region offers: pure functions."""

from __future__ import annotations

from vks.resources.nodepool import NodePoolSpec, UserScriptSpec
from vks.service.api.findings import Findings
from vks.service.config import Limits
from vks.service.provisioners.capi import userscript

#: Label and taint keys below these domains are Kubernetes', Cluster API's or ours: controllers
#: write them, and a pool that wrote them too would never come to rest.
_RESERVED_DOMAINS = ("kubernetes.io", "k8s.io", "x-k8s.io", "vks.verda")
#: The exceptions, which are there for whoever runs the cluster (as with kubelet's --node-labels).
_OPEN_DOMAINS = ("node-role.kubernetes.io", "node-restriction.kubernetes.io")
#: But by these the control plane is found.
_CONTROL_PLANE_KEYS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


def check_settings(prefix: str, spec: NodePoolSpec, limits: Limits, found: Findings) -> None:
    """Names of fields begin with `prefix`."""
    _check_size(prefix, spec, limits, found)
    if spec.max_surge == spec.max_unavailable == 0:
        found.bad(f"{prefix}maxSurge", "must not be 0 when maxUnavailable is: nothing could roll")
    for label in spec.labels:
        if is_reserved(label):
            found.bad(f"{prefix}labels.{label}", "is reserved for Kubernetes and VKS")
    seen = set()
    for index, taint in enumerate(spec.taints):
        if is_reserved(taint.key):
            found.bad(f"{prefix}taints.{index}.key", "is reserved for Kubernetes and VKS")
        if (taint.key, taint.effect) in seen:
            found.bad(f"{prefix}taints.{index}", f"{taint.key}:{taint.effect} is there twice")
        seen.add((taint.key, taint.effect))
    if spec.user_script is not None:
        _check_script(f"{prefix}userScript", spec.user_script, found)


def is_reserved(key: str) -> bool:
    """Whether nobody but controllers may give nodes a label or taint of that key."""
    domain = key.rpartition("/")[0]
    reserved = any(domain == d or domain.endswith(f".{d}") for d in _RESERVED_DOMAINS)
    return key in _CONTROL_PLANE_KEYS or (reserved and domain not in _OPEN_DOMAINS)


def _check_size(prefix: str, spec: NodePoolSpec, limits: Limits, found: Findings) -> None:
    most = limits.max_pool_replicas
    if spec.replicas > most:
        found.bad(f"{prefix}replicas", f"at most {most}")
    scaling = spec.autoscaling
    if scaling is None:
        return
    if scaling.min > scaling.max:
        found.bad(f"{prefix}autoscaling.min", f"{scaling.min} is more than max, {scaling.max}")
    if scaling.max > most:
        found.bad(f"{prefix}autoscaling.max", f"at most {most}")


def _check_script(field: str, script: UserScriptSpec, found: Findings) -> None:
    texts = {"pre": script.pre, "post": script.post}
    if not any(texts.values()):
        found.bad(field, "has neither pre nor post")
    for name, text in texts.items():
        if "\0" in text:
            found.bad(f"{field}.{name}", "holds a NUL character, which no shell reads")
    if userscript.room_left(script) >= 0:
        return
    sizes = {name: userscript.packed_size(text) for name, text in texts.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    left = userscript.room_left(script) + sizes[largest]
    found.bad(
        f"{field}.{largest}",
        f"takes {sizes[largest]} bytes packed, {max(0, left)} bytes are left of the user data "
        "that Nova accepts (65535 bytes in base64)",
    )
