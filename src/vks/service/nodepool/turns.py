"""Pure: zones that roll by taking nodes away do so one after the other.

Of a pool without a spare slot one node is missing at a time, not one in every zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vks.resources.clusterapi import MachineDeployment
from vks.resources.nodepool import NodePoolSpec
from vks.service.nodepool.slots import surging
from vks.service.provisioners.capi.manifest import Manifest
from vks.service.provisioners.capi.rolling import hold_back


def in_turn(
    spec: NodePoolSpec,
    desired: Mapping[str, int],
    manifests: list[Manifest],
    deployments: list[MachineDeployment],
    changed: Mapping[str, MachineDeployment],
) -> list[Manifest]:
    """The manifests; zones of `changed` whose turn it is not keep the machines that they have."""
    if spec.static_ip is None:
        return manifests
    careful = changed.keys() - surging(desired, spec.static_ip.slots)
    turn = on_turn(deployments, careful)
    held = {changed[zone].key: changed[zone] for zone in careful if zone != turn}
    return [
        hold_back(manifest, held[manifest.key])
        if manifest.model is MachineDeployment and manifest.key in held
        else manifest
        for manifest in manifests
    ]


def on_turn(deployments: Iterable[MachineDeployment], changed: Iterable[str]) -> str | None:
    """Which of the zones with a changed template may roll now, when rolling takes nodes away:
    the first, once no other zone has machines that are not ready or not up to date."""
    by_zone = {found.spec.template.spec.failure_domain: found for found in deployments}
    waiting = sorted(changed)
    busy = [zone for zone in by_zone if zone not in waiting and not _settled(by_zone[zone])]
    return None if busy or not waiting else waiting[0]


def _settled(deployment: MachineDeployment) -> bool:
    status, wanted = deployment.status, deployment.spec.replicas
    return (
        status.observed_generation >= deployment.metadata.generation
        and status.replicas == status.ready_replicas == status.up_to_date_replicas == wanted
    )
