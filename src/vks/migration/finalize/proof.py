"""One control plane is replaced once more: nothing that it needs came from the old ones.

Which one is written down before it is asked for, so that a killed process does not replace two.
"""

from __future__ import annotations

from vks.migration.adopt.observe import control_plane_of, machines_of, require_settled
from vks.migration.convert.act import replace_control_plane
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.clusterapi import KubeadmControlPlane, Machine
from vks.runtime.result import Waiting

#: On the KubeadmControlPlane: the machine whose replacement is the proof.
PROOF = "vks.verda/migration-proof"
POLL = 1.0


class Prove:
    """Rolls one control plane of Cluster API's own."""

    name = "Prove"

    async def do(self, scope: Scope) -> None:
        plane = await control_plane_of(scope)
        machines = await machines_of(scope)
        chosen = plane.metadata.annotations.get(PROOF)
        if chosen is None:
            await require_settled(scope)
            chosen = oldest(machines).metadata.name
            await _write_down(scope, plane, chosen)
        left = next((m for m in machines if m.metadata.name == chosen), None)
        if left is not None:
            if not left.deleting:
                await replace_control_plane(scope.client, left, scope.clock.now())
            raise Waiting("Proving", f"{chosen} is replaced once more", POLL)
        await require_settled(scope)

    async def undo(self, scope: Scope) -> None:
        """Nothing: there is no way back."""


def oldest(machines: list[Machine]) -> Machine:
    """The control plane that was the first to join the legacy ones. Raises Waiting without any."""
    planes = [machine for machine in machines if machine.is_control_plane]
    if not planes:
        raise Waiting("NoControlPlane", "there is no control plane", POLL)
    return min(planes, key=lambda m: (m.metadata.creation_timestamp or "", m.metadata.name))


async def _write_down(scope: Scope, plane: KubeadmControlPlane, machine: str) -> None:
    meta = plane.metadata
    noted = {"resourceVersion": meta.resource_version, "annotations": {PROOF: machine}}
    await scope.client.merge_patch(
        KubeadmControlPlane,
        meta.name,
        meta.namespace,
        {"metadata": noted},
        field_manager=FIELD_MANAGER,
    )
