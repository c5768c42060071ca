"""Pure: which zones of a pool may roll now, so that its limits hold for the pool as a whole.

A pool is one MachineDeployment per zone, and each of them would take `maxSurge` and
`maxUnavailable` for itself. So a zone keeps its machines until its turn: as many zones roll at a
time as the pool's limits carry together, and at least one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vks.kube.objects import find_condition
from vks.resources.clusterapi import Machine, MachineDeployment, MachineSet
from vks.resources.contract import DEPLOYMENT_NAME_LABEL, READY, SET_NAME_LABEL
from vks.resources.nodepool import NodePoolSpec
from vks.service.provisioners.capi.manifest import Manifest
from vks.service.provisioners.capi.rolling import Rolling, hold_back, rolling


class Zone(NamedTuple):
    """How many machines a zone is to have, has (those that are going included), and has ready.
    It is `settled` when they are all of its present template."""

    wanted: int
    machines: int
    ready: int
    settled: bool


def look(
    deployments: Iterable[MachineDeployment],
    sets: Iterable[MachineSet],
    machines: Iterable[Machine],
) -> dict[str, Zone]:
    """What the zones of a pool are, by machines: a MachineDeployment's own counters say for a
    moment after a change of its template what was true before."""
    all_sets, all_machines = list(sets), list(machines)
    return {
        deployment.spec.template.spec.failure_domain: _zone(deployment, all_sets, all_machines)
        for deployment in deployments
    }


def _zone(
    deployment: MachineDeployment, sets: Iterable[MachineSet], machines: Iterable[Machine]
) -> Zone:
    name, wanted = deployment.metadata.name, deployment.spec.replicas
    own = [m for m in machines if m.metadata.labels.get(DEPLOYMENT_NAME_LABEL) == name]
    present = {
        found.metadata.name
        for found in sets
        if found.metadata.labels.get(DEPLOYMENT_NAME_LABEL) == name
        and found.spec.template.spec == deployment.spec.template.spec
    }
    well = [machine for machine in own if not machine.deleting and is_ready(machine)]
    current = [m for m in well if m.metadata.labels.get(SET_NAME_LABEL) in present]
    return Zone(wanted, len(own), len(well), len(own) == len(current) == wanted)


def is_ready(machine: Machine) -> bool:
    ready = find_condition(machine.status.conditions, READY)
    return ready is not None and ready.status == "True"


def in_turn(
    spec: NodePoolSpec,
    desired: Mapping[str, int],
    manifests: list[Manifest],
    changed: Mapping[str, MachineDeployment],
    zones: Mapping[str, Zone],
) -> list[Manifest]:
    """The manifests; zones of `changed` whose turn it is not keep the machines that they have."""
    turn = on_turn(spec, desired, zones, changed)
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
    zones: Mapping[str, Zone],
    changed: Iterable[str],
) -> set[str]:
    """Which of the `changed` zones, those with another template than they have, may roll now.

    What is under way has its part of the limits and goes on; a zone that is not whole for another
    reason comes last, so that it does not hold up the others.
    """
    waiting, each = set(changed), rolling(spec, desired)
    takes = {
        zone: Rolling(*(min(part, desired[zone]) for part in limit)) for zone, limit in each.items()
    }
    left = Rolling(spec.max_surge, max((limit.unavailable for limit in each.values()), default=0))
    for zone in zones.keys() - waiting:
        if not zones[zone].settled:
            left = _less(left, takes[zone])
    turn = set()
    for zone in sorted(waiting, key=lambda zone: (*_rank(zones[zone], takes[zone]), zone)):
        if takes[zone].surge <= left.surge and takes[zone].unavailable <= left.unavailable:
            turn.add(zone)
            left = _less(left, takes[zone])
    return turn


def _less(left: Rolling, taken: Rolling) -> Rolling:
    return Rolling(max(0, left.surge - taken.surge), max(0, left.unavailable - taken.unavailable))


def _rank(zone: Zone, takes: Rolling) -> tuple[bool, bool]:
    """First what an earlier change left half-way, last what misses nodes for another reason."""
    half_way = zone.machines > zone.wanted or (takes.unavailable > 0 and zone.ready < zone.wanted)
    return (not half_way, not zone.settled)
