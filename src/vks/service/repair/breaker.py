"""Deletes a control plane that cannot join beside a dead one: see `deadlock`."""

from __future__ import annotations

from vks.kube.objects import Key, find_condition
from vks.resources.clusterapi import Cluster, KubeadmControlPlane, Machine
from vks.resources.contract import HEALTH_CHECK_SUCCEEDED, OWNER_REMEDIATED, SERVER_HEALTHY
from vks.resources.managedcluster import ManagedCluster
from vks.runtime.controller import Controller
from vks.runtime.informer import Change
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.runtime.watches import Watch
from vks.service.caches import Caches, cluster_keys
from vks.service.managedcluster.observe import observe
from vks.service.repair.deadlock import stuck

NAME = "vks-deadlock"


class DeadlockBreaker:
    """Reconciles clusters by what their control planes' Machines say."""

    def __init__(self, manager: Manager, caches: Caches) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._caches = caches
        self._recorder = manager.recorder(NAME)

    async def reconcile(self, key: Key) -> Result:
        seen = observe(self._caches, key)
        found = stuck(seen, self._clock.now())
        if found is None or seen.cluster is None:
            return DONE
        if found.due > 0:
            return Result(requeue_after=found.due)
        meta = found.newcomer.metadata
        await self._client.delete(Machine, meta.name, meta.namespace, uid=meta.uid)
        note = f"{meta.name} cannot join while {found.dead.metadata.name} is dead, and goes first"
        self._recorder.event(seen.cluster, "Warning", "JoinImpossible", note, action="Repair")
        return DONE


def _changes(change: Change[Machine]) -> bool:
    """A control plane comes, joins, goes, or is well no longer."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return new.is_control_plane and _look(old) != _look(new)


def _look(machine: Machine) -> tuple[object, ...]:
    types = (SERVER_HEALTHY, HEALTH_CHECK_SUCCEEDED, OWNER_REMEDIATED)
    found = [find_condition(machine.status.conditions, type_) for type_ in types]
    health = [condition and (condition.status, condition.reason) for condition in found]
    return machine.deleting, machine.status.node_ref, *health


def setup(manager: Manager, caches: Caches) -> Controller:
    controller = Controller(
        "deadlock",
        DeadlockBreaker(manager, caches).reconcile,
        workers=2,
        watches=[
            Watch(ManagedCluster),
            Watch(Cluster, cluster_keys),
            Watch(KubeadmControlPlane, cluster_keys),
            Watch(Machine, cluster_keys, predicate=_changes),
        ],
    )
    manager.add(controller)
    return controller
