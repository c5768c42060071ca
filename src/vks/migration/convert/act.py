"""Asks Cluster API to replace machines, and lets servers go that it has decided upon."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.kube.times import rfc3339
from vks.migration.adopt.machines import HOOK
from vks.migration.run.scope import FIELD_MANAGER
from vks.resources.clusterapi import Machine, MachineDeployment
from vks.resources.contract import INFRASTRUCTURE_GROUP
from vks.resources.verdamachine import VerdaMachine

#: Where a machine's server comes from. The control plane provider replaces a machine whose server
#: was not made from its template (controlplane/kubeadm/pkg/filters.go, matchesInfraMachine): of
#: all that it compares this is the one thing that is just not true of a server that was taken over.
CLONED_FROM = {
    "cluster.x-k8s.io/cloned-from-name": "legacy",
    "cluster.x-k8s.io/cloned-from-groupkind": f"VerdaMachineTemplate.{INFRASTRUCTURE_GROUP}",
}
#: On a Machine: when its replacement was asked for. Its writing makes the provider look.
REPLACE = "vks.verda/replace-requested"


async def replace_control_plane(client: Client, machine: Machine, now: datetime) -> None:
    """Raises ApiError."""
    meta = machine.metadata
    await _annotate(client, VerdaMachine, machine, CLONED_FROM)
    if REPLACE not in meta.annotations:
        await _annotate(client, Machine, machine, {REPLACE: rfc3339(now)})


async def replace_pool(client: Client, deployment: dict[str, Any], now: datetime) -> None:
    """Every machine of it that exists now. Raises ApiError."""
    meta, spec = deployment["metadata"], deployment["spec"]
    if spec.get("rollout", {}).get("after"):
        return
    patch = {"metadata": {"uid": meta["uid"]}, "spec": {"rollout": {"after": rfc3339(now)}}}
    await client.merge_patch(
        MachineDeployment, meta["name"], meta["namespace"], patch, field_manager=FIELD_MANAGER
    )


async def let_go(client: Client, machine: Machine) -> None:
    """The release is on record before the machine goes on. Raises ApiError."""
    name, namespace = machine.metadata.name, machine.metadata.namespace
    policy = {"spec": {"adoptedServerPolicy": "Delete"}}
    with suppress(NotFound):
        await client.merge_patch(VerdaMachine, name, namespace, policy, field_manager=FIELD_MANAGER)
    with suppress(NotFound):
        await _annotate(client, Machine, machine, {HOOK: None})


async def _annotate(
    client: Client,
    model: type[Machine] | type[VerdaMachine],
    machine: Machine,
    annotations: Mapping[str, str | None],
) -> None:
    patch = {"metadata": {"annotations": annotations}}
    meta = machine.metadata
    await client.merge_patch(model, meta.name, meta.namespace, patch, field_manager=FIELD_MANAGER)
