"""Recorded intent: the finalizer and the name under which an object owns things in the cloud."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from vks.kube.client import Client
from vks.kube.objects import KubeObject
from vks.kube.swap import swap
from vks.kube.times import parse_time
from vks.resources.contract import INFRASTRUCTURE_GROUP, OWNER_ANNOTATION
from vks.runtime.clock import Clock

K = TypeVar("K", bound=KubeObject)

CLUSTER_FINALIZER = f"verdacluster.{INFRASTRUCTURE_GROUP}"
MACHINE_FINALIZER = f"verdamachine.{INFRASTRUCTURE_GROUP}"
PORT_FINALIZER = f"verdaport.{INFRASTRUCTURE_GROUP}"
PORT_POOL_FINALIZER = f"verdaportpool.{INFRASTRUCTURE_GROUP}"
#: On claims and addresses of the IPAM contract.
ADDRESS_CLAIM_FINALIZER = f"ipaddressclaim.{INFRASTRUCTURE_GROUP}"

#: Seconds after which an object without owner is told so.
OWNER_GRACE = 3.0


def owner_id(obj: KubeObject) -> str:
    """The owner's id in the marker of everything that the object has in the cloud."""
    return obj.metadata.annotations.get(OWNER_ANNOTATION, obj.metadata.uid)


def owner_grace(obj: KubeObject, clock: Clock) -> float:
    """Seconds for which it is no news that a young object has no owner: core sets owners within
    moments, and saying so would make core and us look again at every object that is made."""
    return youth_left(obj, OWNER_GRACE, clock.now())


def youth_left(obj: KubeObject, seconds: float, now: datetime) -> float:
    """How much of its first `seconds` an object has left; none when its age is not known."""
    created = obj.metadata.creation_timestamp
    if created is None:
        return 0.0
    age = (now - parse_time(created)).total_seconds()
    return min(seconds, max(0.0, seconds - age))


async def claim(client: Client, obj: K, finalizer: str) -> K:
    """Record, before the first call to the cloud, that the object has to be cleaned up and under
    which name. Raises Conflict when the object changed since it was read."""
    ops: list[dict[str, Any]] = []
    meta = obj.metadata
    if finalizer not in meta.finalizers:
        if meta.finalizers:
            ops.append({"op": "add", "path": "/metadata/finalizers/-", "value": finalizer})
        else:
            ops.append({"op": "add", "path": "/metadata/finalizers", "value": [finalizer]})
    if OWNER_ANNOTATION not in meta.annotations:
        if not meta.annotations:
            ops.append({"op": "add", "path": "/metadata/annotations", "value": {}})
        escaped = OWNER_ANNOTATION.replace("/", "~1")
        ops.append({"op": "add", "path": f"/metadata/annotations/{escaped}", "value": meta.uid})
    if not ops:
        return obj
    return await swap(client, obj, ops)
