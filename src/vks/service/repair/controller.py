"""Events about machines that a MachineHealthCheck condemned.

Cluster API says that it did so; why it did is in a condition of the Machine, and the Machine is
gone when somebody asks.
"""

from __future__ import annotations

from vks.kube.objects import Condition, Key, find_condition
from vks.resources.clusterapi import Machine
from vks.resources.contract import HEALTH_CHECK_SUCCEEDED
from vks.runtime.controller import Controller
from vks.runtime.informer import Change
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.runtime.watches import Watch
from vks.service.caches import Caches, cluster_keys

NAME = "vks-repair"


class RepairReporter:
    def __init__(self, manager: Manager, caches: Caches) -> None:
        self._caches = caches
        self._recorder = manager.recorder(NAME)
        self._condemned: dict[Key, Machine] = {}

    async def reconcile(self, key: Key) -> Result:
        machine = self._caches.machines.get(key)
        if machine is None:
            self._gone(key)
            return DONE
        found = verdict(machine)
        if found is not None and key not in self._condemned:
            self._condemned[key] = machine
            self._recorder.event(machine, "Warning", "Unhealthy", reason_of(found), action="Repair")
        elif found is None:
            self._condemned.pop(key, None)  # it recovered by itself
        return DONE

    def _gone(self, key: Key) -> None:
        machine = self._condemned.pop(key, None)
        if machine is None:
            return
        for cluster_key in cluster_keys(machine):
            cluster = self._caches.managed_clusters.get(cluster_key)
            if cluster is not None:
                note = f"{key.name} was unhealthy and has been removed"
                self._recorder.event(
                    cluster, "Normal", "UnhealthyNodeRemoved", note, action="Repair"
                )


def verdict(machine: Machine) -> Condition | None:
    """The failed health check; None when the machine is well, or nobody has looked yet."""
    condition = find_condition(machine.status.conditions, HEALTH_CHECK_SUCCEEDED)
    return condition if condition is not None and condition.status == "False" else None


def reason_of(condition: Condition) -> str:
    """The condition's list in one line."""
    return " ".join(condition.message.replace("* ", "").split())


def _verdict_changed(change: Change[Machine]) -> bool:
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (verdict(old) is None) != (verdict(new) is None)


def setup(manager: Manager, caches: Caches) -> Controller:
    controller = Controller(
        "repair",
        RepairReporter(manager, caches).reconcile,
        workers=2,
        watches=[Watch(Machine, predicate=_verdict_changed)],
    )
    manager.add(controller)
    return controller
