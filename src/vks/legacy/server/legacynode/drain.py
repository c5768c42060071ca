"""Takes a node out of the cluster gently, by calls through the agent of a control plane."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from vks.legacy.server.hub import CallFailed, Session
from vks.runtime.result import Waiting

POLL = 1.0
_MIRROR = "kubernetes.io/config.mirror"
_MERGE = "application/merge-patch+json"


class _Owner(msgspec.Struct, frozen=True):
    kind: str


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    namespace: str
    annotations: dict[str, str] = {}
    owner_references: tuple[_Owner, ...] = ()
    deletion_timestamp: str | None = None


class _PodStatus(msgspec.Struct, frozen=True):
    phase: str = ""


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Meta
    status: _PodStatus = _PodStatus()

    @property
    def moves(self) -> bool:
        """DaemonSets' pods would come back, static ones cannot be evicted, finished ones are."""
        daemon = any(owner.kind == "DaemonSet" for owner in self.metadata.owner_references)
        over = self.status.phase in ("Succeeded", "Failed")
        return not daemon and not over and _MIRROR not in self.metadata.annotations


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str


class _NodeStatus(msgspec.Struct, frozen=True):
    conditions: tuple[_Condition, ...] = ()


class _Node(msgspec.Struct, frozen=True):
    status: _NodeStatus = _NodeStatus()


class _Pods(msgspec.Struct, frozen=True):
    items: tuple[_Pod, ...]


async def drain(session: Session, node: str) -> None:
    """Ask all pods to leave. Raises Waiting until they have; budgets are respected. Raises
    CallFailed."""
    path = _path(node)
    try:
        await session.call(
            "api", "PATCH", path, '{"spec":{"unschedulable":true}}', content_type=_MERGE
        )
    except CallFailed as error:
        if error.status == 404:
            return  # it never became a node
        raise
    listed = await session.call("api", "GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")
    pods = [pod for pod in msgspec.json.decode(listed, type=_Pods).items if pod.moves]
    for pod in pods:
        if pod.metadata.deletion_timestamp is None:
            await _evict(session, pod)
    if pods:
        names = ", ".join(sorted(pod.metadata.name for pod in pods)[:5])
        raise Waiting("Draining", f"{len(pods)} pods left: {names}", POLL)


async def answers(session: Session, node: str) -> bool:
    """Whether the kubelet reports: pods of one that does not never say that they have left. Raises
    CallFailed."""
    try:
        found = msgspec.json.decode(await session.call("api", "GET", _path(node)), type=_Node)
    except CallFailed as error:
        if error.status == 404:
            return False
        raise
    return any(c.type == "Ready" and c.status == "True" for c in found.status.conditions)


async def remove_node(session: Session, node: str) -> None:
    """Delete the Node; it may be gone. Raises CallFailed."""
    try:
        await session.call("api", "DELETE", _path(node))
    except CallFailed as error:
        if error.status != 404:
            raise


async def label_control_plane(session: Session, node: str) -> None:
    """The labels that make it one for people: a kubelet must not set them. Raises CallFailed."""
    roles = ("controlplane", "etcd")
    labels = {f"node-role.kubernetes.io/{role}": "true" for role in roles}
    body = msgspec.json.encode({"metadata": {"labels": labels}}).decode()
    await session.call("api", "PATCH", _path(node), body, content_type=_MERGE)


async def _evict(session: Session, pod: _Pod) -> None:
    meta = pod.metadata
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": meta.name, "namespace": meta.namespace},
    }
    path = f"/api/v1/namespaces/{quote(meta.namespace)}/pods/{quote(meta.name)}/eviction"
    try:
        await session.call("api", "POST", path, msgspec.json.encode(eviction).decode())
    except CallFailed as error:
        if error.status not in (404, 429):  # gone already, or a budget says not yet
            raise


def _path(node: str) -> str:
    return f"/api/v1/nodes/{quote(node)}"
