"""Pure: which zones of a pool may roll now, so that its limits hold for the pool as a whole.

A pool is one MachineDeployment per zone, and each of them would take `maxSurge` and
`maxUnavailable` for itself. So a zone keeps its machines until its turn: as many zones roll at a
time as the pool's limits carry together, and at least one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from vks.resources.clusterapi import MachineDeployment
from vks.resources.nodepool import NodePoolSpec
from vks.service.provisioners.capi.manifest import Manifest
from vks.service.provisioners.capi.rolling import Rolling, hold_back, rolling


def in_turn(
    spec: NodePoolSpec,
    desired: Mapping[str, int],
    manifests: list[Manifest],
    deployments: list[MachineDeployment],
    changed: Mapping[str, MachineDeployment],
) -> list[Manifest]:
    """The manifests; zones of `changed` whose turn it is not keep the machines that they have."""
    turn = on_turn(spec, desired, deployments, changed)
    held = {found.key: found for zone, found in changed.items() if zone not in turn}
    return [
        hold_back(manifest, held[manifest.key])
        if manifest.model is MachineDeployment and manifest.key in held
        else manifest
        for manifest in manifests
    ]


def on_turn(
    spec: NodePoolSpec,
    desired: Mapping[str, int],
    deployments: Iterable[MachineDeployment],
    changed: Collection[str],
) -> set[str]:
    """Which of the `changed` zones, those with another template than they have, may roll now.

    What is under way has its part of the limits and goes on; a zone that is not whole for another
    reason comes last, so that it does not hold up the others.
    """
    by_zone = {found.spec.template.spec.failure_domain: found for found in deployments}
    each = rolling(spec, desired)
    takes = {
        zone: Rolling(*(min(part, desired[zone]) for part in limit)) for zone, limit in each.items()
    }
    left = Rolling(spec.max_surge, max((limit.unavailable for limit in each.values()), default=0))
    for zone in by_zone.keys() - changed:
        if not _settled(by_zone[zone]):
            left = _less(left, takes[zone])
    turn = set()
    for zone in sorted(changed, key=lambda zone: (*_rank(by_zone[zone], takes[zone]), zone)):
        if takes[zone].surge <= left.surge and takes[zone].unavailable <= left.unavailable:
            turn.add(zone)
            left = _less(left, takes[zone])
    return turn


def _less(left: Rolling, taken: Rolling) -> Rolling:
    return Rolling(max(0, left.surge - taken.surge), max(0, left.unavailable - taken.unavailable))


def _rank(deployment: MachineDeployment, takes: Rolling) -> tuple[bool, bool]:
    """First what an earlier change left half-way, last what misses nodes for another reason."""
    status, wanted = deployment.status, deployment.spec.replicas
    half_way = status.replicas > wanted or (
        takes.unavailable > 0 and status.ready_replicas < wanted
    )
    return (not half_way, not _settled(deployment))


def _settled(deployment: MachineDeployment) -> bool:
    status, wanted = deployment.status, deployment.spec.replicas
    return (
        status.observed_generation >= deployment.metadata.generation
        and status.replicas == status.ready_replicas == status.up_to_date_replicas == wanted
    )
