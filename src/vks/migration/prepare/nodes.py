"""What kubeadm and Cluster API expect of Nodes: the role of control planes; and a label by which
kubeadm's kube-proxy leaves the legacy nodes alone, which run one already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.core import Node
from vks.resources.fields import Taint
from vks.runtime.result import Waiting

#: Of every legacy node of a cluster that migrates.
LEGACY_LABEL = "vks.verda/legacy"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
TAINT = Taint(key=CONTROL_PLANE, effect="NoSchedule")
POLL = 1.0


def marks(node: Node, *, control_plane: bool, wanted: bool) -> dict[str, Any] | None:
    """The merge patch that gives the node its marks, or takes them away; None when nothing is to
    be changed. What others put there stays."""
    labels = {LEGACY_LABEL: "true"} | ({CONTROL_PLANE: ""} if control_plane else {})
    taints = [taint for taint in node.spec.taints if taint != TAINT]
    if wanted and control_plane:
        taints.append(TAINT)
    have = node.metadata.labels
    changed: dict[str, str | None]
    if wanted:
        changed = {name: value for name, value in labels.items() if have.get(name) != value}
    else:
        changed = {name: None for name in labels if name in have}
    patch: dict[str, Any] = {}
    if changed:
        patch["metadata"] = {"labels": changed}
    if _keys(taints) != _keys(node.spec.taints):
        patch["spec"] = {"taints": [msgspec.to_builtins(taint) for taint in taints]}
    return patch or None


def _keys(taints: Iterable[Taint]) -> set[tuple[str, str]]:
    return {(taint.key, taint.effect) for taint in taints}


class NodeRoles:
    name = "NodeRoles"

    async def do(self, scope: Scope) -> None:
        await self._mark(scope, wanted=True)

    async def undo(self, scope: Scope) -> None:
        await self._mark(scope, wanted=False)

    async def _mark(self, scope: Scope, *, wanted: bool) -> None:
        workload = await scope.workload()
        for node in scope.nodes:
            name = node.metadata.name
            try:
                found = await workload.get(Node, name)
            except NotFound:
                if wanted:
                    raise Waiting("NodeMissing", f"there is no Node {name} yet", POLL) from None
                continue
            patch = marks(found, control_plane=node.is_control_plane, wanted=wanted)
            if patch is not None:
                await _patch(workload, found, patch)


async def _patch(workload: Client, node: Node, patch: dict[str, Any]) -> None:
    """Raises Conflict when somebody was faster: taints are a list, which is written whole."""
    meta = patch.setdefault("metadata", {})
    meta["resourceVersion"] = node.metadata.resource_version
    await workload.merge_patch(Node, node.metadata.name, "", patch, field_manager=FIELD_MANAGER)
