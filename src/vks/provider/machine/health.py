"""Pure: the condition from which a MachineHealthCheck learns that a server is gone."""

from __future__ import annotations

from vks.kube.objects import find_condition
from vks.provider.conditions import SERVER_READY
from vks.resources.verdamachine import VerdaMachine

#: Why a server that was up is not: what the cloud says, not that the cloud says nothing.
_LOST = {
    "ServerNotFound": "ServerNotFound",
    "ServerFailed": "ServerFailed",
    "ServerNotActive": "ServerStopped",
}


def server_health(machine: VerdaMachine) -> tuple[str, str, str] | None:
    """Status, reason and message; None before there has been a running server: a machine on its
    way up is not unhealthy, however long the cloud takes."""
    if not machine.status.initialization.provisioned:
        return None
    condition = find_condition(machine.status.conditions, SERVER_READY)
    if condition is None:
        return None
    if condition.status == "True":
        return "True", "ServerActive", ""
    lost = _LOST.get(condition.reason)
    if lost is None:
        return "Unknown", condition.reason, condition.message
    return "False", lost, condition.message
