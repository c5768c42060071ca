"""Pure: the condition from which a MachineHealthCheck learns that a server is gone."""

from __future__ import annotations

from vks.kube.conditions import says
from vks.kube.objects import Condition, find_condition
from vks.provider.conditions import SERVER_READY
from vks.resources.verdamachine import VerdaMachine

#: Why a server that was up is not: what the cloud says, not that the cloud says nothing.
_LOST = {
    "ServerNotFound": "ServerNotFound",
    "ServerFailed": "ServerFailed",
    "ServerNotActive": "ServerStopped",
}

#: Status, reason and message.
Health = tuple[str, str, str]


def is_news(known: Condition | None, health: Health) -> bool:
    """Whether the condition has to be written. That all is well is said of a server that was not:
    core and others look again at every Machine that is written to, and the condition that is not
    there is healthy to a MachineHealthCheck."""
    return not says(known, *health) if known is not None else health[0] != "True"


def server_health(machine: VerdaMachine) -> Health | None:
    """None before there has been a running server: a machine on its
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
