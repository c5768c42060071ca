"""Which pods a drain evicts, and when a control plane may be recreated."""

from __future__ import annotations

from tests.unit.service.builders import managed_cluster, node_pool

from vks.kube.objects import Condition, ObjectMeta, OwnerReference
from vks.resources.clusterapi import Machine, MachineStatus
from vks.resources.operation import Operation, OperationSpec, OperationTarget
from vks.service.managedcluster.observe import Observed
from vks.service.names import POOL_LABEL
from vks.service.nodeaction.eviction import Pod, PodStatus, to_evict, what_is_left
from vks.service.nodeaction.removal import may_recreate, removal_steps


def pod(
    name: str,
    *,
    owner: str = "ReplicaSet",
    phase: str = "Running",
    mirror: bool = False,
    deleting: bool = False,
) -> Pod:
    reference = OwnerReference(
        api_version="apps/v1", kind=owner, name="owner", uid="u", controller=True
    )
    return Pod(
        metadata=ObjectMeta(
            name=name,
            namespace="default",
            annotations={"kubernetes.io/config.mirror": "x"} if mirror else {},
            owner_references=(reference,),
            deletion_timestamp="2026-01-01T00:00:00Z" if deleting else None,
        ),
        status=PodStatus(phase=phase),
    )


def test_what_comes_and_goes_with_the_node_is_not_evicted() -> None:
    pods = [
        pod("web-1"),
        pod("proxy", owner="DaemonSet"),
        pod("etcd", owner="Node", mirror=True),
        pod("job", phase="Succeeded"),
    ]
    assert [p.metadata.name for p in to_evict(pods)] == ["web-1"]


def test_a_pod_that_ended_on_its_way_out_is_waited_for() -> None:
    gone, job = pod("web-1", phase="Failed", deleting=True), pod("job", phase="Failed")
    assert to_evict([gone, job]) == [gone]


def test_what_is_left_is_named_and_so_is_what_holds_it() -> None:
    pods = to_evict([pod(f"web-{number}") for number in range(5)])
    said = what_is_left(pods, ["default/web-0"])
    assert said.startswith("5 left: default/web-0, default/web-1, default/web-2 and 2 more; ")
    assert said.endswith("a PodDisruptionBudget holds default/web-0")


def control_plane(name: str, *, ready: bool = True, deleting: bool = False) -> Machine:
    return machine(name, {"cluster.x-k8s.io/control-plane": ""}, ready=ready, deleting=deleting)


def machine(
    name: str, labels: dict[str, str], *, ready: bool = True, deleting: bool = False
) -> Machine:
    return Machine(
        metadata=ObjectMeta(
            name=name,
            uid=f"uid-{name}",
            labels=labels,
            deletion_timestamp="2026-11-25T12:00:00Z" if deleting else None,
        ),
        status=MachineStatus(conditions=(Condition(type="Ready", status=str(ready)),)),
    )


def test_a_control_plane_goes_only_while_all_others_are_well_and_stay() -> None:
    one, two, three = (control_plane(name) for name in "abc")
    cluster = managed_cluster()
    assert may_recreate(one, Observed(cluster, machines=(one, two, three))) == ""
    ill = Observed(cluster, machines=(one, two, control_plane("c", ready=False)))
    assert may_recreate(one, ill) == "waits for the other control planes: c"
    going = Observed(cluster, machines=(one, control_plane("b", deleting=True), three))
    assert may_recreate(one, going) == "waits for the other control planes: b"
    assert "no majority" in may_recreate(one, Observed(cluster, machines=(one, two)))


def operation() -> Operation:
    target = OperationTarget(kind="Machine", name="w-0", uid="uid-w-0")
    spec = OperationSpec(
        type="RecreateNode", cluster_name="demo", target=target, pool_name="default"
    )
    return Operation(spec=spec)


def test_a_node_is_recreated_when_it_is_gone_and_its_pool_is_whole() -> None:
    label = {POOL_LABEL: "default"}
    rest = (machine("w-1", label), machine("w-2", label))
    pools = (node_pool(),)
    old = machine("w-0", label, deleting=True)
    new = machine("w-3", label)

    def done(found: Machine | None, *machines: Machine) -> list[bool]:
        seen = Observed(managed_cluster(), pools=pools, machines=machines)
        return [step.finished for step in removal_steps(operation(), found, seen)]

    assert done(old, old, *rest, new) == [False, False]
    assert done(None, *rest) == [True, False]
    assert done(None, *rest, machine("w-3", label, ready=False)) == [True, False]
    assert done(None, *rest, new) == [True, True]
