"""Pure: the next step of a machine's life. `vks.provider.verdamachine.act` performs it."""

from __future__ import annotations

from datetime import datetime

from vks.provider.conditions import (
    BOOTSTRAP_DATA_READY,
    NODE_REGISTERED,
    SERVER_READY,
)
from vks.provider.verdamachine.observation import (
    AskServer,
    Done,
    EnsureMember,
    EnsurePort,
    EnsureServer,
    Observation,
    ReadConsole,
    Step,
    Wait,
)
from vks.resources.contract import READY

NODE_STARTUP_TIMEOUT = "NodeStartupTimeout"

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
    if seen.port_id is None or not seen.port_ip:
        return EnsurePort()
    if seen.owner_machine.is_control_plane and seen.member_id is None:
        return EnsureMember()
    if seen.owner_machine.spec.bootstrap.data_secret_name is None:
        return Wait(BOOTSTRAP_DATA_READY, "WaitingForBootstrapData", "no bootstrap data yet")
    return EnsureServer()


def _with_server(seen: Observation, status: str) -> Step:
    if status == "ERROR":
        fault = seen.server.fault if seen.server else None
        return Wait(SERVER_READY, "ServerFailed", fault.message if fault else "server is in ERROR")
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
    created = seen.server.created if seen.server else ""
    timeout = float(seen.machine.spec.node_startup_timeout_seconds)
    try:
        since = datetime.fromisoformat(created.replace("Z", "+00:00"))
    except ValueError:
        return timeout
    return timeout - (seen.now - since).total_seconds()


def provider_id(region: str, zone: str, server_id: str) -> str:
    """`verda:///REGION/ZONE/SERVER-ID`, as kubelet reports it too."""
    return f"verda:///{region}/{zone}/{server_id}"


def server_id_of(provider_id_: str) -> str:
    """The server of a provider id."""
    return provider_id_.rsplit("/", 1)[-1]
