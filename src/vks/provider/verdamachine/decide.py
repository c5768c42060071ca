"""Pure: the next step of a machine's life. `vks.provider.verdamachine.act` performs it."""

from __future__ import annotations

from datetime import datetime

from vks.provider.conditions import (
    BOOTSTRAP_DATA_READY,
    NODE_REGISTERED,
    PORT_READY,
    SERVER_READY,
)
from vks.provider.verdamachine.observation import (
    NO_ROOM,
    AskServer,
    ClaimSlot,
    DiscardServer,
    Done,
    EnsureMember,
    EnsurePort,
    EnsureServer,
    Observation,
    ReadConsole,
    Step,
    Wait,
)
from vks.provider.verdaport.slots import choose, predecessor, why_none
from vks.resources.contract import READY

NODE_STARTUP_TIMEOUT = "NodeStartupTimeout"
#: Seconds that a server without a host is kept before another is tried in its place.
RETRY_ROOM = 20.0
#: How Nova's scheduler says that no host has room (nova.exception.NoValidHost).
_NO_VALID_HOST = "No valid host"
NO_FREE_SLOT = "NoFreeSlot"

#: Nova's states on the way to ACTIVE.
_STARTING = frozenset({"BUILD", "REBUILD", "REBOOT", "HARD_REBOOT"})


def decide(seen: Observation) -> Step:
    """What to do next for a machine that is not being deleted."""
    if not seen.owner_cluster.status.initialization.infrastructure_provisioned:
        return Wait(READY, "WaitingForClusterInfrastructure", "the cluster's network is not ready")
    if seen.server_id is None:
        return _before_server(seen)
    if not seen.server_asked:
        return AskServer(seen.server_id)
    if seen.server is None and seen.found_no_room and not seen.provisioned:
        return DiscardServer(seen.server_id)
    if seen.server is None:
        return Wait(
            SERVER_READY,
            "ServerNotFound",
            f"server {seen.server_id} does not exist any more; it was not deleted by this machine",
        )
    return _with_server(seen, seen.server.status)


def _before_server(seen: Observation) -> Step:
    if seen.machine.spec.adopt_server_id:
        return AskServer(seen.machine.spec.adopt_server_id)
    if seen.provisioned or seen.machine.spec.provider_id:
        # Status was lost (clusterctl move): the provider id says which server it was.
        return AskServer(server_id_of(seen.machine.spec.provider_id or ""))
    pool = seen.machine.spec.port_pool_ref
    if pool is not None and seen.slot is None:
        return _slot(seen, pool.name)
    registers = seen.owner_machine.is_control_plane and seen.member_id is None
    waits = seen.owner_machine.spec.bootstrap.data_secret_name is None and not registers
    # A machine that only waits does not ask after its port each time that it looks around.
    if seen.port_id is None or not (seen.port_ip or waits) or _other_slot(seen):
        return EnsurePort()
    if registers:
        return EnsureMember()
    if waits:
        return Wait(BOOTSTRAP_DATA_READY, "WaitingForBootstrapData", "no bootstrap data yet")
    return EnsureServer()


def _slot(seen: Observation, pool: str) -> Step:
    """Which slot to claim. A slot that gets free later brings the machine back here."""
    awaited = predecessor(seen.slots, seen.leaving, seen.zone)
    if awaited is not None and awaited.spec.claim is not None:
        message = f"{awaited.spec.claim.name} is about to release {awaited.status.address}"
        return Wait(PORT_READY, "WaitingForSlot", message)
    chosen = seen.machine.spec.port_ref
    slot = choose(seen.slots, seen.zone, seen.owner, chosen.name if chosen else None)
    if slot is None:
        return Wait(PORT_READY, NO_FREE_SLOT, why_none(seen.slots, pool, seen.zone))
    return ClaimSlot(slot.metadata.name)


def _other_slot(seen: Observation) -> bool:
    """Whether the recorded port is that of a slot which the machine has lost."""
    return seen.slot is not None and seen.slot.status.port_id != seen.port_id


def _with_server(seen: Observation, status: str) -> Step:
    if status == "ERROR":
        return _with_failed_server(seen)
    joined = seen.owner_machine.status.node_ref is not None
    left = _startup_seconds_left(seen)
    if not joined and left <= 0:
        return _overdue(seen, status)
    if status in _STARTING:
        poll = None if joined else left
        return Wait(SERVER_READY, "ServerStarting", f"server is in {status}", poll, True)
    if status != "ACTIVE":
        return Wait(SERVER_READY, "ServerNotActive", f"server is in {status}")
    if seen.owner_machine.is_control_plane and seen.member_id is None and seen.port_ip:
        return EnsureMember()
    return Done(recheck=None if joined else left)


def _with_failed_server(seen: Observation) -> Step:
    """A server that found no host was never more than a record: it makes way for another attempt,
    once it is on record why. The clock is the server's own age, which a restart does not reset."""
    fault = seen.server.fault.message if seen.server and seen.server.fault else ""
    if seen.provisioned or seen.adopted or not fault.startswith(_NO_VALID_HOST):
        return Wait(SERVER_READY, "ServerFailed", fault or "server is in ERROR")
    left = RETRY_ROOM - _age(seen)
    if seen.found_no_room and left <= 0 and seen.server_id is not None:
        return DiscardServer(seen.server_id)
    message = f"zone {seen.zone} has no room for flavor {seen.machine.spec.flavor}: {fault}"
    return Wait(SERVER_READY, NO_ROOM, message, poll=max(left, 1.0))


def _overdue(seen: Observation, status: str) -> Step:
    """The server may run and its node may still join: both are followed on."""
    if seen.console is None and seen.server_id is not None:
        return ReadConsole(seen.server_id)
    message = (
        f"no Node after {seen.machine.spec.node_startup_timeout_seconds} s, the server is {status};"
        f" the console's last lines:\n{seen.console or '(empty)'}"
    )
    starting = status in _STARTING
    return Wait(NODE_REGISTERED, NODE_STARTUP_TIMEOUT, message, watch_server=starting)


def _startup_seconds_left(seen: Observation) -> float:
    return float(seen.machine.spec.node_startup_timeout_seconds) - _age(seen)


def _age(seen: Observation) -> float:
    """Seconds since the server was asked for; 0 when Nova does not say."""
    created = seen.server.created if seen.server else ""
    try:
        since = datetime.fromisoformat(created.replace("Z", "+00:00"))
    except ValueError:
        return 0.0
    return (seen.now - since).total_seconds()


def provider_id(region: str, zone: str, server_id: str) -> str:
    """`verda:///REGION/ZONE/SERVER-ID`, as kubelet reports it too."""
    return f"verda:///{region}/{zone}/{server_id}"


def server_id_of(provider_id_: str) -> str:
    """The server of a provider id."""
    return provider_id_.rsplit("/", 1)[-1]
