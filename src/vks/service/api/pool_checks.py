"""What a node pool's settings may be, whatever the region offers: pure functions."""

from __future__ import annotations

from vks.resources.nodepool import NodePoolSpec, UserScriptSpec
from vks.service.api.findings import Findings
from vks.service.config import Limits
from vks.service.provisioners.capi import userscript

#: Labels below it say what VKS knows of a node.
RESERVED = "vks.verda/"


def check_settings(prefix: str, spec: NodePoolSpec, limits: Limits, found: Findings) -> None:
    """Names of fields begin with `prefix`."""
    _check_size(prefix, spec, limits, found)
    if spec.max_surge == spec.max_unavailable == 0:
        found.bad(f"{prefix}maxSurge", "must not be 0 when maxUnavailable is: nothing could roll")
    for label in spec.labels:
        if label.startswith(RESERVED):
            found.bad(f"{prefix}labels.{label}", f"{RESERVED} is reserved")
    seen = set()
    for index, taint in enumerate(spec.taints):
        if (taint.key, taint.effect) in seen:
            found.bad(f"{prefix}taints.{index}", f"{taint.key}:{taint.effect} is there twice")
        seen.add((taint.key, taint.effect))
    if spec.user_script is not None:
        _check_script(f"{prefix}userScript", spec.user_script, found)


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
