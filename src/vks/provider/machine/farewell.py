"""Pure: how a control plane leaves the load balancer before anything of it is taken down.

Deleting a control plane begins with its etcd member, and with it goes its API server, while the
server itself and its place in the load balancer last until the very end. So the provider puts a
pre-drain hook on these Machines and takes it away when no client talks to that API server any
more: first no new connections, then no connections at all.
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from vks.resources.clusterapi import Machine
from vks.resources.contract import PRE_DRAIN_HOOK_PREFIX
from vks.verda.loadbalancer import Member

HOOK = f"{PRE_DRAIN_HOOK_PREFIX}/verda-load-balancer"
#: Seconds between "no new connections" and "none": what an API request usually takes.
DRAIN = 2.0


class Step(Enum):
    """`WAIT`: look again soon."""

    DRAIN_MEMBER = auto()
    CLOSE_CONNECTIONS = auto()
    REMOVE_HOOK = auto()
    WAIT = auto()
    NOTHING = auto()


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """`member` None: it is not in the load balancer. `busy`: the load balancer is still working
    on an earlier change. `draining_for`: seconds, as long as this process knows."""

    machine: Machine
    serving: bool
    member: Member | None = None
    busy: bool = False
    draining_for: float = 0.0


def place_hook(machine: Machine, *, registered: bool) -> bool:
    """Whether the hook has yet to be put on a machine that is in the load balancer."""
    return (
        machine.is_control_plane
        and registered
        and not machine.deleting
        and HOOK not in machine.metadata.annotations
    )


def decide(seen: Seen) -> Step:
    """The next step of a machine that is being deleted. A server that does not run is not waited
    for: nobody talks to it."""
    if HOOK not in seen.machine.metadata.annotations:
        return Step.NOTHING
    if seen.member is None or not seen.serving:
        return Step.REMOVE_HOOK
    match seen.member.admin_state:
        case "ENABLED":
            return Step.DRAIN_MEMBER
        case "DRAINING":
            return Step.CLOSE_CONNECTIONS if seen.draining_for >= DRAIN else Step.WAIT
        case _:
            return Step.WAIT if seen.busy else Step.REMOVE_HOOK
