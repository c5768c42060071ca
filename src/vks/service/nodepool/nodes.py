"""A pool's labels and taints, put onto its nodes in the workload cluster."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from vks.kube.client import Client
from vks.kube.objects import Key
from vks.resources.core import Node
from vks.resources.fields import Taint
from vks.resources.nodepool import NodePool
from vks.service.names import POOL_LABEL, digest

#: What we put into the node's list of taints, so that it can be taken out again: the list has
#: no owners in it (server-side apply treats it as one value), and others write to it too.
TAINTS_ANNOTATION = "vks.verda/pool-taints"


class NodeDresser:
    """Labels by server-side apply (what a pool drops goes), taints by compare-and-swap."""

    def __init__(self, field_manager: str) -> None:
        self._manager = field_manager
        self._done: dict[tuple[Key, str], str] = {}

    async def dress(self, client: Client, cluster: Key, name: str, pool: NodePool) -> None:
        """Does nothing when this process did the same to the node before. Raises ApiError."""
        wanted = digest([dict(pool.spec.labels), _plain(pool.spec.taints), pool.metadata.uid])
        if self._done.get((cluster, name)) == wanted:
            return
        node = await client.get(Node.resource, name)  # whole: taints hold more than we know
        meta = node["metadata"]
        ours = json.loads(meta.get("annotations", {}).get(TAINTS_ANNOTATION, "[]"))
        before = node["spec"].get("taints", [])
        merged = merge(before, ours, pool.spec.taints)
        if merged != before:
            await client.merge_patch(
                Node,
                name,
                "",
                {
                    "metadata": {"resourceVersion": meta["resourceVersion"]},
                    "spec": {"taints": merged or None},
                },
                field_manager=self._manager,
            )
        body = {
            "metadata": {
                "name": name,
                "labels": {**pool.spec.labels, POOL_LABEL: pool.spec.pool_name},
                "annotations": {TAINTS_ANNOTATION: json.dumps(_identities(pool.spec.taints))},
            }
        }
        await client.apply(Node, body, field_manager=self._manager)
        self._done[cluster, name] = wanted


def merge(
    present: Iterable[dict[str, Any]], ours: list[list[str]], wanted: Iterable[Taint]
) -> list[dict[str, Any]]:
    """The node's taints with ours replaced by those that are wanted; others' stay as they are.

    A taint is known by key and effect.
    """
    target = _plain(wanted)
    replaced = [*ours, *([taint["key"], taint["effect"]] for taint in target)]
    kept = [t for t in present if t in target or [t["key"], t["effect"]] not in replaced]
    return [*kept, *(taint for taint in target if taint not in kept)]


def _identities(taints: Iterable[Taint]) -> list[list[str]]:
    return [[taint.key, taint.effect] for taint in taints]


def _plain(taints: Iterable[Taint]) -> list[dict[str, Any]]:
    """Without `value` where it is empty, as the API server writes it."""
    return [
        {"key": taint.key, "effect": taint.effect} | ({"value": taint.value} if taint.value else {})
        for taint in taints
    ]
