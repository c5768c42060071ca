"""The steps of an upgrade: the control plane, then each pool."""

from __future__ import annotations

from collections.abc import Iterable

from vks.kube.objects import find_condition
from vks.resources.clusterapi import Machine
from vks.resources.contract import READY
from vks.resources.managedcluster import UpgradeSpec
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation, OperationError
from vks.service.managedcluster.observe import Observed
from vks.service.names import POOL_LABEL
from vks.service.operation.step import Step, machines_wait
from vks.service.upgrade.decide import decide, settled


def upgrade_steps(operation: Operation, seen: Observed) -> list[Step]:
    """One per part, in the order in which they are upgraded."""
    version = operation.spec.version
    pools = [pool for pool in seen.pools if not pool.deleting]
    return [
        _control_plane(version, operation.spec.target.generation, seen),
        *(_pool(version, pool, seen) for pool in pools),
    ]


def upgrade_error(operation: Operation, seen: Observed) -> OperationError | None:
    """Why the upgrade is over although its steps are not done."""
    upgrade, target = _upgrade(seen), operation.spec.target
    if (
        upgrade is None
        or seen.cluster is None
        or seen.cluster.metadata.generation < target.generation
    ):
        return None  # the cache does not show the request yet
    if upgrade.operation != operation.metadata.name:
        return OperationError(code="UpgradeSuperseded", message=f"one to {upgrade.version} began")
    if upgrade.state != "Aborted" or decide(seen) is not None or not seen.control_plane_settled:
        return None
    if not all(settled(pool, seen) for pool in seen.pools if not pool.deleting):
        return None
    versions = sorted({pool.spec.version or "" for pool in seen.pools})
    plane = seen.cluster.spec.version
    message = f"aborted; the control plane runs {plane}, node pools {', '.join(versions) or '-'}"
    return OperationError(code="UpgradeAborted", message=message)


def _upgrade(seen: Observed) -> UpgradeSpec | None:
    return seen.cluster.spec.upgrade if seen.cluster is not None else None


def _control_plane(version: str, generation: int, seen: Observed) -> Step:
    machines = [machine for machine in seen.machines if machine.is_control_plane]
    total = seen.cluster.spec.control_plane.replicas if seen.cluster else 1
    reached = seen.cluster is not None and seen.cluster.status.observed_generation >= generation
    of_version = seen.cluster is not None and seen.cluster.spec.version == version
    done = reached and of_version and seen.control_plane_settled
    return _step("ControlPlane", version, total, machines, seen, done=done)


def _pool(version: str, pool: NodePool, seen: Observed) -> Step:
    name = f"NodePool {pool.spec.pool_name}"
    own = [m for m in seen.machines if m.metadata.labels.get(POOL_LABEL) == pool.spec.pool_name]
    if pool.spec.version == version and settled(pool, seen):
        return Step(name, 1, 1, f"{len(own)}/{len(own)} at {version}")
    if pool.spec.version != version:
        return Step(name, 0, max(1, pool.spec.replicas), "its turn has not come yet")
    return _step(name, version, max(1, pool.spec.replicas), own, seen, done=False)


def _step(
    name: str, version: str, total: int, machines: Iterable[Machine], seen: Observed, *, done: bool
) -> Step:
    machines = list(machines)
    if done:
        return Step(name, total, total, f"{total}/{total} at {version}")
    current = [machine for machine in machines if machine.spec.version == version]
    ready = sum(1 for machine in current if _is_ready(machine))
    upgrade = _upgrade(seen)
    state = {"Paused": "paused", "Aborted": "aborting"}.get(upgrade.state if upgrade else "", "")
    parts = (
        state,
        f"{ready}/{total} at {version}",
        _leaving(machines),
        machines_wait(seen, current),
    )
    return Step(name, min(ready, total - 1), total, "; ".join(part for part in parts if part))


def _is_ready(machine: Machine) -> bool:
    ready = find_condition(machine.status.conditions, READY)
    return ready is not None and ready.status == "True" and not machine.deleting


def _leaving(machines: Iterable[Machine]) -> str:
    """What holds the first machine that is on its way out."""
    for machine in machines:
        if machine.deleting:
            condition = find_condition(machine.status.conditions, "Deleting")
            text = " ".join(condition.message.split()) if condition else ""
            return f"{machine.metadata.name} goes{': ' + text if text else ''}"
    return ""
