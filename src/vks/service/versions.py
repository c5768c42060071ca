"""Kubernetes versions and the skew that Kubernetes allows.

Source: kubernetes.io/releases/version-skew-policy.
"""

from __future__ import annotations

from typing import NamedTuple

#: A kubelet may be that many minor versions older than the API servers.
MAX_KUBELET_SKEW = 3


class Version(NamedTuple):
    """Compares as versions do."""

    major: int
    minor: int
    patch: int


def parse(text: str) -> Version:
    """Of `v1.36.3`. Raises ValueError for anything else."""
    major, minor, patch = text.removeprefix("v").split(".")
    return Version(int(major), int(minor), int(patch))


def why_not(current: str, target: str) -> str:
    """Why a control plane cannot go from `current` to `target` in one step; empty: it can."""
    old, new = parse(current), parse(target)
    if new == old:
        return f"the control plane runs {target} already"
    if new < old:
        return f"{target} is older than {current}; Kubernetes does not go back"
    if new.major != old.major or new.minor > old.minor + 1:
        step = f"v{old.major}.{old.minor + 1}"
        return f"{target} skips a minor version of {current}; go to a {step} first"
    return ""
