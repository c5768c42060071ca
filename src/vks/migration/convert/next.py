"""Pure: what is to be replaced next. The control planes come first, each by itself; the very first
is the canary. Pools follow, one zone of one pool at a time, as their surge says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from vks.kube.objects import find_condition
from vks.kube.times import parse_time
from vks.migration.adopt.machines import HOOK
from vks.resources.clusterapi import Machine

#: Seconds for which the first new node has to do well before the next one is made.
SOAK = 30.0


class Control(msgspec.Struct, frozen=True):
    """Let this control plane be replaced."""

    machine: Machine


class Pool(msgspec.Struct, frozen=True):
    """Let this MachineDeployment replace its machines."""

    deployment: dict[str, Any]


class Soak(msgspec.Struct, frozen=True):
    """The canary has yet to prove itself."""


class Nothing(msgspec.Struct, frozen=True):
    """No machine is left that was taken over."""


Step = Control | Pool | Soak | Nothing


def choose(
    machines: Iterable[Machine], deployments: Iterable[dict[str, Any]], now: datetime
) -> Step:
    """For a cluster in which everything is settled."""
    known = sorted(machines, key=lambda m: m.metadata.name)
    adopted = [m for m in known if is_adopted(m)]
    if not adopted:
        return Nothing()
    own = [m for m in known if not is_adopted(m)]
    if len(own) == 1 and _doing_well_for(own[0], now) < SOAK:
        return Soak()
    planes = [m for m in adopted if m.is_control_plane]
    if planes:
        return Control(planes[0])
    for deployment in sorted(deployments, key=lambda d: str(d["metadata"]["name"])):
        if any(_belongs(machine, deployment) for machine in adopted):
            return Pool(deployment)
    return Nothing()


def is_adopted(machine: Machine) -> bool:
    """Whether its server was taken over and has not been released."""
    return HOOK in machine.metadata.annotations


def _belongs(machine: Machine, deployment: dict[str, Any]) -> bool:
    wanted = deployment["spec"]["selector"]["matchLabels"]
    return bool(wanted.items() <= machine.metadata.labels.items())


def _doing_well_for(machine: Machine, now: datetime) -> float:
    condition = find_condition(machine.status.conditions, "Available")
    if condition is None or condition.status != "True" or not condition.last_transition_time:
        return 0.0
    return (now - parse_time(condition.last_transition_time)).total_seconds()
