"""How far an operation is, told from objects alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
from tests.unit.service.builders import NAMESPACE, managed_cluster, node_pool

from vks.kube.objects import Condition, ObjectMeta
from vks.resources.clusterapi import (
    KubeadmControlPlane,
    KubeadmControlPlaneInitialization,
    KubeadmControlPlaneSpec,
    KubeadmControlPlaneStatus,
    Machine,
)
from vks.resources.fields import Initialization, LocalReference
from vks.resources.managedcluster import (
    INITIAL_POOLS_ANNOTATION,
    ClusterNetworkSpec,
    ManagedClusterStatus,
)
from vks.resources.nodepool import NodePoolStatus
from vks.resources.operation import (
    Operation,
    OperationSpec,
    OperationStatus,
    OperationStep,
    OperationTarget,
    OperationType,
)
from vks.resources.verdacluster import VerdaCluster, VerdaClusterSpec, VerdaClusterStatus
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec, VerdaMachineStatus
from vks.service.managedcluster.observe import Observed
from vks.service.operation.step import Progress, summary
from vks.service.operation.steps import progress_of, status_of

replace = msgspec.structs.replace


def operation(type_: OperationType = "CreateCluster", **target: Any) -> Operation:
    default = {"kind": "ManagedCluster", "name": "demo", "uid": "uid-demo", "generation": 1}
    return Operation(
        spec=OperationSpec(
            type=type_, cluster_name="demo", target=OperationTarget(**{**default, **target})
        )
    )


def ready(type_: str = "Ready", status: str = "True", **more: Any) -> tuple[Condition, ...]:
    return (Condition(type=type_, status=status, **more),)


def control_plane(count: int) -> KubeadmControlPlane:
    return KubeadmControlPlane(
        spec=KubeadmControlPlaneSpec(replicas=3, version="v1.36.3"),
        status=KubeadmControlPlaneStatus(
            replicas=count,
            ready_replicas=count,
            up_to_date_replicas=count,
            initialization=KubeadmControlPlaneInitialization(control_plane_initialized=True),
        ),
    )


def infrastructure() -> VerdaCluster:
    return VerdaCluster(
        spec=VerdaClusterSpec(region="tokyo", identity_ref=LocalReference(name="c")),
        status=VerdaClusterStatus(initialization=Initialization(provisioned=True)),
    )


def finished() -> Observed:
    pool = replace(
        node_pool(),
        status=NodePoolStatus(observed_generation=1, ready_replicas=3, conditions=ready()),
    )
    cluster = replace(
        managed_cluster(),
        status=ManagedClusterStatus(observed_generation=1, conditions=ready("AddOnsReady")),
    )
    return Observed(
        cluster=cluster,
        infrastructure=infrastructure(),
        control_plane=control_plane(3),
        pools=(pool,),
    )


def verda_machine(**condition: str) -> VerdaMachine:
    return VerdaMachine(
        metadata=ObjectMeta(name="demo-cp-abcde", namespace=NAMESPACE),
        spec=VerdaMachineSpec(flavor="small", image="i"),
        status=VerdaMachineStatus(conditions=ready(status="False", **condition)),
    )


def names_left(progress: Progress) -> list[str]:
    return [step.name for step in progress.steps if not step.finished]


def test_a_finished_cluster_finishes_its_operation() -> None:
    progress = progress_of(operation(), finished())
    assert names_left(progress) == []
    status = status_of(operation(), progress, "2026-11-23T12:00:00Z")
    assert (status["phase"], status["progress"]) == ("Succeeded", 100)


def test_pools_that_are_yet_to_be_made_are_waited_for() -> None:
    seen = finished()
    assert seen.cluster is not None
    meta = replace(seen.cluster.metadata, annotations={INITIAL_POOLS_ANNOTATION: "[…]"})
    seen = replace_observed(seen, cluster=replace(seen.cluster, metadata=meta), pools=())
    assert names_left(progress_of(operation(), seen)) == ["Workers"]


def test_the_step_names_the_machine_and_what_it_waits_for() -> None:
    machine = Machine(
        metadata=ObjectMeta(name="demo-cp-abcde", labels={"cluster.x-k8s.io/control-plane": ""})
    )
    seen = replace_observed(
        finished(),
        control_plane=control_plane(1),
        machines=(machine,),
        verda_machines=(verda_machine(reason="ServerBuilding", message="since 12:00"),),
    )
    step = progress_of(operation(), seen).steps[2]
    assert (step.done, step.total) == (1, 3)
    assert step.message == "1/3 ready; demo-cp-abcde: ServerBuilding: since 12:00"


def test_a_machine_that_does_not_come_up_fails_the_operation_with_its_console() -> None:
    machine = verda_machine(reason="NodeStartupTimeout", message="no node in 600 s\nline 1\nline 2")
    seen = replace_observed(finished(), control_plane=control_plane(1), verda_machines=(machine,))
    op = operation()
    status = status_of(op, progress_of(op, seen), "2026-11-23T12:00:00Z")
    assert status["phase"] == "Failed"
    assert status["error"] == {
        "code": "NodeStartupTimeout",
        "message": "demo-cp-abcde: no node in 600 s",
        "details": "line 1\nline 2",
    }


def test_nodes_that_wait_for_their_users_network_do_not_hold_up_the_operation() -> None:
    seen = finished()
    assert seen.cluster is not None
    waits = Condition(type="NodeHealthy", status="False", reason="NoPodNetwork")
    label = {"cluster.x-k8s.io/control-plane": ""}
    machines = [Machine(metadata=ObjectMeta(name=f"cp-{n}", labels=label)) for n in range(3)]
    servers = [
        replace(
            verda_machine(), metadata=m.metadata, status=VerdaMachineStatus(conditions=(waits,))
        )
        for m in machines
    ]
    plane = control_plane(3)
    cluster = replace(
        managed_cluster(network=ClusterNetworkSpec(cni="none")), status=seen.cluster.status
    )
    pool = replace(
        node_pool(),
        status=NodePoolStatus(
            observed_generation=1, conditions=ready(status="False", reason="WaitingForPodNetwork")
        ),
    )
    seen = replace_observed(
        seen,
        cluster=cluster,
        control_plane=replace(plane, status=replace(plane.status, ready_replicas=0)),
        machines=tuple(machines),
        verda_machines=tuple(servers),
        pools=(pool,),
    )
    progress = progress_of(operation(), seen)
    assert names_left(progress) == []
    said = {step.name: step.message for step in progress.steps}
    assert (
        said["ControlPlane"]
        == said["Workers"]
        == ("0/3 ready; the nodes wait for a pod network of yours")
    )


def test_since_stays_for_as_long_as_a_step_runs() -> None:
    before = OperationStep(name="AddOns", state="Running", since="2026-11-23T11:00:00Z")
    op = replace(operation(), status=OperationStatus(steps=(before,)))
    seen = replace_observed(finished(), cluster=managed_cluster())
    status = status_of(op, progress_of(op, seen), "2026-11-23T12:00:00Z")
    step = next(step for step in status["steps"] if step["name"] == "AddOns")
    assert (step["state"], step["since"]) == ("Running", "2026-11-23T11:00:00Z")


def test_a_deletion_ends_when_nothing_is_left() -> None:
    op = operation("DeleteCluster")
    assert names_left(progress_of(op, finished())) != []
    assert names_left(progress_of(op, Observed(cluster=None))) == []


def test_a_new_cluster_of_the_name_does_not_hold_the_deletion_of_the_old() -> None:
    op = operation("DeleteCluster", uid="uid-of-the-old-one")
    assert names_left(progress_of(op, finished())) == []


def test_an_update_is_not_done_before_its_generation_has_been_seen() -> None:
    assert names_left(progress_of(operation("UpdateCluster", generation=2), finished())) != []
    assert names_left(progress_of(operation("UpdateCluster", generation=1), finished())) == []


def replace_observed(seen: Observed, **changes: Any) -> Observed:
    return Observed(**{**seen.__dict__, **changes})


def test_a_change_of_what_is_being_deleted_ends() -> None:
    cluster = managed_cluster()
    meta = replace(cluster.metadata, deletion_timestamp="2026-11-23T12:00:00Z")
    seen = Observed(cluster=replace(cluster, metadata=meta))
    error = progress_of(operation(), seen).error
    assert error is not None
    assert error.code == "TargetDeleted"


def test_a_message_that_is_a_list_is_told_whole_and_others_by_their_first_line() -> None:
    listed = "* NodeHealthy:\n  * Node.Ready: container runtime network not ready"
    assert summary(listed) == "NodeHealthy: Node.Ready: container runtime network not ready"
    assert summary("no Node after 600 s; the console's last lines:\n[  OK  ] x") == (
        "no Node after 600 s; the console's last lines:"
    )
    assert summary("") == ""


def test_a_change_is_not_done_while_a_machine_that_it_replaces_is_there() -> None:
    """Cluster API's counters are those of the old template for a moment."""
    change = operation("UpdateNodePool", kind="NodePool", name="demo.default", generation=1)
    change = replace(change, spec=replace(change.spec, replaces=("w-1", "w-2")))
    pool = finished().pools[0]
    change = replace(
        change, spec=replace(change.spec, target=replace(change.spec.target, uid=pool.metadata.uid))
    )

    def step(*names: str) -> tuple[bool, str]:
        machines = tuple(Machine(metadata=ObjectMeta(name=name)) for name in names)
        (found,) = progress_of(change, replace_seen(finished(), machines)).steps
        return found.finished, found.message

    assert step("w-1", "w-2") == (False, "0 of 2 nodes replaced")
    assert step("w-2", "w-3") == (False, "1 of 2 nodes replaced")
    assert step("w-3", "w-4")[0]


def replace_seen(seen: Observed, machines: tuple[Machine, ...]) -> Observed:
    return dataclasses.replace(seen, machines=machines)
