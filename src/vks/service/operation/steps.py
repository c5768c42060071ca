"""How far an operation is: a pure function from what exists to its steps.

A step is Done, or it says what it waits for. `since` is when a step began to run and stays as
long as it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from vks.kube.objects import find_condition
from vks.resources.contract import READY
from vks.resources.managedcluster import INITIAL_POOLS_ANNOTATION
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation, OperationError, OperationStep
from vks.resources.verdamachine import VerdaMachine
from vks.service.managedcluster.observe import Observed
from vks.service.managedcluster.status import ADD_ONS_READY
from vks.service.nodepool.status import BRING_A_NETWORK, RESERVING, WAITING_FOR_POD_NETWORK
from vks.service.operation.step import Progress, Step, machines_wait, says
from vks.service.operation.upgrade import upgrade_error, upgrade_steps

#: Condition reasons after which a machine does not come up by itself. One that waits for a host
#: or for quota does.
_FAILED_REASONS = ("NodeStartupTimeout", "ServerFailed", "ServerError", "UserScriptFailed")
_MAX_DETAILS = 4000
DELETED = "TargetDeleted"


def progress_of(operation: Operation, seen: Observed) -> Progress:
    """Looks at the operation's target only as far as its type says."""
    steps = _STEPS[operation.spec.type](operation, seen)
    if operation.spec.type.startswith("Delete"):
        return Progress(tuple(steps))
    error = _abandoned(operation, seen) or _failure(_concerned(operation, seen))
    if operation.spec.type == "UpgradeCluster":
        error = error or upgrade_error(operation, seen)
    return Progress(tuple(steps), error)


def _abandoned(operation: Operation, seen: Observed) -> OperationError | None:
    """A change of something that is being deleted, or is gone, never ends otherwise. What a cache
    does not show may be on its way there: ask before you believe it."""
    target = operation.spec.target
    candidates = [seen.cluster] if target.kind == "ManagedCluster" else [*seen.pools]
    found = next((c for c in candidates if c is not None and c.metadata.uid == target.uid), None)
    if found is not None and not found.deleting:
        return None
    return OperationError(code=DELETED, message=f"{target.name} was deleted meanwhile")


def _create_cluster(_: Operation, seen: Observed) -> list[Step]:
    network, balancer = _infrastructure(seen)
    return [network, balancer, _control_plane(seen), _workers(seen, seen.pools), _addons(seen)]


def _update_cluster(operation: Operation, seen: Observed) -> list[Step]:
    cluster = seen.cluster
    reached = (
        cluster is not None
        and cluster.status.observed_generation >= operation.spec.target.generation
    )
    step = _control_plane(seen)
    if not reached:
        step = Step(step.name, 0, step.total, "the change has not been seen yet")
    return [step]


def _delete_cluster(operation: Operation, seen: Observed) -> list[Step]:
    successor = seen.cluster is not None and seen.cluster.metadata.uid != operation.spec.target.uid
    if successor:  # a new cluster of the same name: the old one is gone
        seen = Observed(cluster=None)
    workers = [m for m in seen.machines if not m.is_control_plane]
    planes = [m for m in seen.machines if m.is_control_plane]
    rest = len(seen.remaining()) + int(seen.cluster is not None)
    return [
        _gone("Workers", len(workers) + len(seen.deployments), f"{len(workers)} machines left"),
        _gone("ControlPlane", len(planes), f"{len(planes)} machines left"),
        _gone("Infrastructure", rest, _infrastructure_left(seen)),
    ]


def _pool(operation: Operation, seen: Observed) -> list[Step]:
    pools = [pool for pool in seen.pools if pool.metadata.name == operation.spec.target.name]
    step = _workers(seen, pools)
    wanted = operation.spec.target.generation
    if not pools or any(pool.status.observed_generation < wanted for pool in pools):
        return [Step(step.name, 0, max(1, step.total), "the change has not been seen yet")]
    return [_replacing(operation, seen, step)]


def _replacing(operation: Operation, seen: Observed, step: Step) -> Step:
    """Cluster API counts machines as up to date for a moment after their template has changed."""
    replaced = operation.spec.replaces
    left = {machine.metadata.name for machine in seen.machines} & {*replaced}
    if not left or not step.finished:
        return step
    gone = len(replaced) - len(left)
    return Step(step.name, gone, len(replaced), f"{gone} of {len(replaced)} nodes replaced")


def _delete_pool(operation: Operation, seen: Observed) -> list[Step]:
    left = [pool for pool in seen.pools if pool.metadata.uid == operation.spec.target.uid]
    count = sum(pool.status.replicas for pool in left)
    return [_gone("Workers", len(left), f"{count} machines left")]


_STEPS: dict[str, Callable[[Operation, Observed], list[Step]]] = {
    "CreateCluster": _create_cluster,
    "UpdateCluster": _update_cluster,
    "DeleteCluster": _delete_cluster,
    "CreateNodePool": _pool,
    "UpdateNodePool": _pool,
    "DeleteNodePool": _delete_pool,
    "UpgradeCluster": upgrade_steps,
}


def _gone(name: str, left: int, message: str) -> Step:
    return Step(name, 0, 1, message) if left else Step(name, 1, 1)


def _infrastructure(seen: Observed) -> tuple[Step, Step]:
    conditions = seen.infrastructure.status.conditions if seen.infrastructure else ()
    provisioned = bool(
        seen.infrastructure and seen.infrastructure.status.initialization.provisioned
    )

    def step(name: str, type_: str) -> Step:
        condition = find_condition(conditions, type_)
        done = provisioned or (condition is not None and condition.status == "True")
        return Step(name, int(done), 1, "" if done else says(condition))

    return step("Network", "NetworkReady"), step("LoadBalancer", "LoadBalancerReady")


def _infrastructure_left(seen: Observed) -> str:
    conditions = seen.infrastructure.status.conditions if seen.infrastructure else ()
    deleting = find_condition(conditions, "Deleting")
    left = ", ".join(seen.remaining())
    return says(deleting) if deleting is not None else f"left: {left}" if left else ""


def _control_plane(seen: Observed) -> Step:
    total = seen.cluster.spec.control_plane.replicas if seen.cluster else 1
    ready = seen.control_plane.status.ready_replicas if seen.control_plane else 0
    if seen.control_plane_settled:
        return Step("ControlPlane", total, total, f"{total}/{total} ready")
    if seen.control_plane_unconnected:
        return Step("ControlPlane", total, total, f"{ready}/{total} ready; {BRING_A_NETWORK}")
    waits = machines_wait(seen, [m for m in seen.machines if m.is_control_plane])
    message = "; ".join(text for text in (f"{ready}/{total} ready", waits) if text)
    return Step("ControlPlane", min(ready, total - 1), total, message)


def _workers(seen: Observed, pools: Iterable[NodePool]) -> Step:
    """Done when each pool says so itself; pools that are yet to be made count as missing."""
    chosen = [pool for pool in pools if not pool.deleting]
    pending = (
        seen.cluster is not None and INITIAL_POOLS_ANNOTATION in seen.cluster.metadata.annotations
    )
    total = sum(pool.size for pool in chosen)
    ready = sum(min(pool.status.ready_replicas, pool.size) for pool in chosen)
    if not pending and all(_pool_settled(pool) for pool in chosen):
        waits = BRING_A_NETWORK if any(_unconnected(pool) for pool in chosen) else ""
        message = "; ".join(text for text in (f"{ready}/{total} ready", waits) if text)
        return Step("Workers", max(total, 1), max(total, 1), message)
    waits = _addresses_wait(chosen) or machines_wait(
        seen, [m for m in seen.machines if not m.is_control_plane]
    )
    message = "; ".join(text for text in (f"{ready}/{total} ready", waits) if text)
    return Step("Workers", min(ready, max(total, 1) - 1), max(total, 1), message)


def _addresses_wait(pools: Iterable[NodePool]) -> str:
    """The first pool with a static address that is not reserved, and why."""
    for pool in pools:
        ready = find_condition(pool.status.conditions, READY)
        if ready is not None and ready.reason == RESERVING:
            return f"{pool.spec.pool_name}: {says(ready)}"
    return ""


def _pool_settled(pool: NodePool) -> bool:
    ready = find_condition(pool.status.conditions, READY)
    return (
        pool.status.observed_generation >= pool.metadata.generation
        and ready is not None
        and (ready.status == "True" or _unconnected(pool))
    )


def _unconnected(pool: NodePool) -> bool:
    ready = find_condition(pool.status.conditions, READY)
    return ready is not None and ready.reason == WAITING_FOR_POD_NETWORK


def _addons(seen: Observed) -> Step:
    conditions = seen.cluster.status.conditions if seen.cluster else ()
    condition = find_condition(conditions, ADD_ONS_READY)
    done = condition is not None and condition.status == "True"
    return Step("AddOns", int(done), 1, "" if done else says(condition))


def _concerned(operation: Operation, seen: Observed) -> list[VerdaMachine]:
    """Machines by whose failure the change fails: those of its target that were made since.

    An older one has not failed because of the change, which may be what replaces it.
    """
    since = operation.metadata.creation_timestamp or ""
    made = [m for m in seen.verda_machines if (m.metadata.creation_timestamp or since) >= since]
    target = operation.spec.target
    if target.kind == "ManagedCluster":
        return made
    pools = {pool.spec.pool_name for pool in seen.pools if pool.metadata.name == target.name}
    names = {
        machine.metadata.name
        for machine in seen.machines
        if machine.metadata.labels.get("vks.verda/pool") in pools
    }
    return [machine for machine in made if machine.metadata.name in names]


def _failure(machines: Iterable[VerdaMachine]) -> OperationError | None:
    for machine in machines:
        for condition in machine.status.conditions:
            if condition.status != "True" and condition.reason in _FAILED_REASONS:
                first, _, details = condition.message.partition("\n")
                return OperationError(
                    code=condition.reason,
                    message=f"{machine.metadata.name}: {first}",
                    details=details[-_MAX_DETAILS:],
                )
    return None


def status_of(operation: Operation, progress: Progress, now: str) -> dict[str, Any]:
    """The status body; `now` is RFC 3339."""
    before = {step.name: step for step in operation.status.steps}
    steps = [_step_body(step, before.get(step.name), now) for step in progress.steps]
    parts = [step.done / step.total for step in progress.steps]
    status: dict[str, Any] = {
        "phase": "Running",
        "progress": int(100 * sum(parts) / len(parts)),
        "steps": steps,
    }
    if progress.finished:
        return {**status, "phase": "Succeeded", "progress": 100, "finished": now}
    if progress.error is not None:
        error = progress.error
        status["phase"] = "Failed"
        status["finished"] = now
        status["error"] = {
            "code": error.code,
            "message": error.message,
            "details": error.details,
        }
    return status


def _step_body(step: Step, before: OperationStep | None, now: str) -> dict[str, Any]:
    since = before.since if before is not None and before.since else now
    body: dict[str, Any] = {"name": step.name, "message": step.message, "since": since}
    if step.finished:
        finished = before.finished if before is not None and before.finished else now
        return {**body, "state": "Done", "finished": finished}
    return {**body, "state": "Running"}
