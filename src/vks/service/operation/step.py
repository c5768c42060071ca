"""The steps of an operation, and what its machines wait for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vks.kube.objects import Condition, find_condition
from vks.resources.clusterapi import Machine
from vks.resources.contract import READY
from vks.resources.operation import OperationError
from vks.service.managedcluster.observe import Observed

_MAX_SUMMARY = 200


@dataclass(frozen=True)
class Step:
    """`done` of `total` parts; `message` says what is waited for."""

    name: str
    done: int
    total: int
    message: str = ""

    @property
    def finished(self) -> bool:
        return self.done >= self.total


@dataclass(frozen=True)
class Progress:
    """All steps of an operation, and the error that it cannot get past."""

    steps: tuple[Step, ...]
    error: OperationError | None = None

    @property
    def finished(self) -> bool:
        return all(step.finished for step in self.steps)


def machines_wait(seen: Observed, machines: Iterable[Machine]) -> str:
    """The first machine that is not ready, and why: its server, its node, or what is on it."""
    servers = {server.metadata.name: server for server in seen.verda_machines}
    for machine in machines:
        server = servers.get(machine.metadata.name)
        up = find_condition(server.status.conditions, READY) if server else None
        if up is None or up.status != "True":
            return f"{machine.metadata.name}: {says(up)}"
        if machine.status.node_ref is None:
            return f"{machine.metadata.name}: the server runs and has not joined yet"
        ready = find_condition(machine.status.conditions, READY)
        if ready is None or ready.status != "True":
            return f"{machine.metadata.name}: {says(ready)}"
    return ""


def says(condition: Condition | None) -> str:
    if condition is None:
        return "waiting to be picked up"
    message = summary(condition.message)
    return f"{condition.reason}: {message}" if message else condition.reason


def summary(message: str) -> str:
    """One line of a condition's message: of Cluster API's indented lists all, else the first."""
    lines = message.splitlines()
    if not lines or not lines[0].startswith("* "):
        return lines[0] if lines else ""
    return " ".join(line.strip().removeprefix("* ") for line in lines)[:_MAX_SUMMARY]
