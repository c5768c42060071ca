"""How far an upgrade is, and when it is over without being done."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.unit.service.upgrade.test_upgrade_decide import (
    NEW,
    OLD,
    plane_machine,
    pool,
    seen,
    worker,
)

from vks.kube.objects import ObjectMeta
from vks.resources.managedcluster import ManagedClusterStatus
from vks.resources.operation import Operation, OperationSpec, OperationTarget
from vks.service.managedcluster.observe import Observed
from vks.service.operation.steps import progress_of

replace = msgspec.structs.replace


def operation(name: str = "op-1") -> Operation:
    target = OperationTarget(kind="ManagedCluster", name="demo", uid="uid-demo", generation=1)
    spec = OperationSpec(type="UpgradeCluster", cluster_name="demo", target=target, version=NEW)
    return Operation(metadata=ObjectMeta(name=name), spec=spec)


def told(*pools: Any, by: str = "op-1", **more: Any) -> Observed:
    """The cluster has been told, by the operation of that name."""
    found = seen(*pools, **more)
    assert found.cluster is not None
    assert found.cluster.spec.upgrade is not None
    upgrade = replace(found.cluster.spec.upgrade, operation=by)
    cluster = replace(
        found.cluster,
        spec=replace(found.cluster.spec, upgrade=upgrade),
        status=ManagedClusterStatus(observed_generation=1),
    )
    return Observed(**{**found.__dict__, "cluster": cluster})


def states(found: Observed) -> dict[str, bool]:
    return {step.name: step.finished for step in progress_of(operation(), found).steps}


def test_every_part_is_a_step() -> None:
    found = told(pool("a", NEW, moved=True), pool("b", OLD), machines=(worker("a", NEW),))
    assert states(found) == {"ControlPlane": True, "NodePool a": True, "NodePool b": False}
    step = progress_of(operation(), found).steps[2]
    assert step.message == "its turn has not come yet"


def test_a_step_says_how_many_machines_are_new_and_that_it_is_paused() -> None:
    machines = (plane_machine(OLD, deleting=True), plane_machine(NEW))
    found = told(state="Paused", up_to_date=1, machines=machines)
    (step,) = progress_of(operation(), found).steps
    assert step.message.startswith(f"paused; 0/3 at {NEW}; demo-cp-x goes")


def test_an_aborted_upgrade_ends_when_nothing_moves_any_more() -> None:
    machines = (plane_machine(NEW), worker("a", OLD))
    moving = told(pool("a", NEW, moved=True, ready=False), state="Aborted", machines=machines)
    assert progress_of(operation(), moving).error is None
    still = told(pool("a", OLD), state="Aborted", machines=machines)
    error = progress_of(operation(), still).error
    assert error is not None
    assert error.code == "UpgradeAborted"
    assert error.message == f"aborted; the control plane runs {NEW}, node pools {OLD}"


def test_a_later_upgrade_ends_the_earlier_one() -> None:
    error = progress_of(operation(), told(pool("a", OLD), by="op-2")).error
    assert error is not None
    assert error.code == "UpgradeSuperseded"
