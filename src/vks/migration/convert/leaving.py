"""Pure: which servers that were taken over may go now.

Every adopted Machine holds its own deletion by a hook. Whoever decides that it goes (a roll-out, a
scale-down, a repair), its server is released here, on record, before anything of it is drained.
"""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import find_condition
from vks.migration.adopt.machines import HOOK
from vks.resources.clusterapi import Machine

_MEMBER_HEALTHY = "EtcdMemberHealthy"


def held(machines: Iterable[Machine]) -> list[Machine]:
    """Those that are being deleted and wait for us, the longest first."""
    waiting = [m for m in machines if m.deleting and HOOK in m.metadata.annotations]
    return sorted(waiting, key=lambda m: (m.metadata.deletion_timestamp or "", m.metadata.name))


def objection(machine: Machine, machines: Iterable[Machine]) -> str:
    """Why a control plane has to stay for now; empty: nothing is against it. etcd has to keep its
    quorum without it: the members that are left answering are a majority by themselves."""
    if not machine.is_control_plane:
        return ""
    planes = [m for m in machines if m.is_control_plane]
    others = [m for m in planes if m.metadata.name != machine.metadata.name]
    gone_on = [m.metadata.name for m in others if m.deleting and HOOK not in m.metadata.annotations]
    if gone_on:
        return f"{', '.join(sorted(gone_on))} goes first"
    healthy = [m for m in others if is_healthy(m)]
    if len(healthy) < len(others) // 2 + 1:
        return f"etcd would be left with {len(healthy)} healthy members of {len(others)}"
    return ""


def is_healthy(machine: Machine) -> bool:
    """Whether its etcd member answers, and stays."""
    condition = find_condition(machine.status.conditions, _MEMBER_HEALTHY)
    return condition is not None and condition.status == "True" and not machine.deleting
