"""Pure: which pods a drain evicts, and what holds the others.

As kubectl drains: pods of DaemonSets and static pods stay, they come and go with the node.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from vks.kube.objects import KubeObject, KubeStruct, Resource

_MIRROR = "kubernetes.io/config.mirror"
_ENDED = ("Succeeded", "Failed")
_NAMED = 3


class PodStatus(KubeStruct, frozen=True, kw_only=True):
    phase: str = ""


class Pod(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource("", "v1", "Pod", "pods")
    status: PodStatus = PodStatus()


def to_evict(pods: Iterable[Pod]) -> list[Pod]:
    """Those that must leave the node, by name; the ones that are on their way too."""
    found = [pod for pod in pods if _leaves(pod)]
    return sorted(found, key=lambda pod: pod.key)


def _leaves(pod: Pod) -> bool:
    meta = pod.metadata
    stays = _MIRROR in meta.annotations or any(
        owner.kind == "DaemonSet" and owner.controller for owner in meta.owner_references
    )
    # A pod that goes has ended a moment before it is gone.
    return not stays and (pod.deleting or pod.status.phase not in _ENDED)


def what_is_left(pods: list[Pod], held: Iterable[str]) -> str:
    """One sentence about the pods that are still there; `held` may not be evicted now."""
    if not pods:
        return ""
    names = ", ".join(str(pod.key) for pod in pods[:_NAMED])
    more = f" and {len(pods) - _NAMED} more" if len(pods) > _NAMED else ""
    blocked = sorted(held)
    why = f"; a PodDisruptionBudget holds {', '.join(blocked[:_NAMED])}" if blocked else ""
    return f"{len(pods)} left: {names}{more}{why}"
