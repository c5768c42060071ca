"""The cloud controller on a real API server that plays a workload cluster."""

from __future__ import annotations

from typing import Any

from tests.apiserver.provider.region import Region, eventually
from tests.support.apiserver import ApiServer

from vks.kube.objects import find_condition
from vks.provider.cloudcontroller.node import (
    INSTANCE_TYPE_LABEL,
    REGION_LABEL,
    UNINITIALIZED,
    ZONE_LABEL,
)
from vks.resources.core import Node, Pod
from vks.resources.verdamachine import VerdaMachine


async def workload(running: Region, apiserver: ApiServer) -> str:
    """A provisioned cluster with one worker whose API server answers; the router's id."""
    await running.add_cluster()
    cluster = await running.core_sees_infrastructure()
    await running.secret("demo-kubeconfig", {"value": apiserver.kubeconfig.decode()})
    await running.add_machine("w-0", zone=running.under_test.zones[2])
    return cluster.status.network.router_id


async def join(running: Region, machine: VerdaMachine, name: str, pod_cidr: str) -> Node:
    """What kubelet does with an external cloud provider."""
    body: dict[str, Any] = {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {
            "providerID": machine.spec.provider_id,
            "podCIDR": pod_cidr,
            "podCIDRs": [pod_cidr],
            "taints": [
                {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
                {"key": UNINITIALIZED, "value": "true", "effect": "NoSchedule"},
            ],
        },
    }
    return await running.client.create(Node, body)


async def test_a_node_is_told_where_it_is_and_gets_its_route(
    running: Region, apiserver: ApiServer
) -> None:
    router_id = await workload(running, apiserver)
    machine = await running.machine_is_provisioned("w-0")
    name = f"{running.namespace}-w-0"
    await join(running, machine, name, "10.244.7.0/24")

    async def initialized() -> Node | None:
        node = await running.client.get(Node, name)
        return None if any(t.key == UNINITIALIZED for t in node.spec.taints) else node

    node = await eventually(initialized)
    assert node is not None
    labels = node.metadata.labels
    assert labels[REGION_LABEL] == running.under_test.region
    assert labels[ZONE_LABEL] == running.under_test.zones[2]
    assert labels[INSTANCE_TYPE_LABEL] == running.under_test.flavors[0]
    assert labels["kubernetes.io/hostname"] == name
    assert [t.key for t in node.spec.taints] == ["node.kubernetes.io/not-ready"]
    assert set(node.status.addresses) == set(machine.status.addresses)

    address = next(a.address for a in machine.status.addresses if a.type == "InternalIP")

    async def routed() -> bool:
        router = await running.verda.network.router(router_id)
        return [(r.destination, r.nexthop) for r in router.routes] == [("10.244.7.0/24", address)]

    await eventually(routed)

    await running.client.delete(Node, name)

    async def unrouted() -> bool:
        return not (await running.verda.network.router(router_id)).routes

    await eventually(unrouted)


async def test_a_ready_node_shows_on_its_machine(running: Region, apiserver: ApiServer) -> None:
    await workload(running, apiserver)
    machine = await running.machine_is_provisioned("w-0")
    name = f"{running.namespace}-w-0"
    await join(running, machine, name, "10.244.8.0/24")
    await report(running, Node, name, "")
    await health(running, "w-0", "NodeReady")
    others = (await running.machine("w-0")).status.conditions
    assert find_condition(others, "ServerReady") is not None
    await running.client.delete(Node, name)


async def test_a_control_plane_is_healthy_when_its_parts_are_up(
    running: Region, apiserver: ApiServer
) -> None:
    """Cluster API makes the next control plane then, so the machine has to say it at once."""
    await workload(running, apiserver)
    await running.add_machine("cp-0", zone=running.under_test.zones[0], control_plane=True)
    machine = await running.machine_is_provisioned("cp-0")
    name = f"{running.namespace}-cp-0"
    await join(running, machine, name, "10.244.9.0/24")
    await report(running, Node, name, "")
    await health(running, "cp-0", "ControlPlaneNotReady")

    parts = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    for part in parts:
        labels = {"tier": "control-plane", "component": part}
        pod = {
            "metadata": {"name": f"{part}-{name}", "namespace": "kube-system", "labels": labels},
            "spec": {
                "nodeName": name,
                "containers": [{"name": part, "image": part}],
                "terminationGracePeriodSeconds": 0,  # there is no kubelet to end it
            },
        }
        await running.client.create(Pod, pod)
        await report(running, Pod, f"{part}-{name}", "kube-system")
    await health(running, "cp-0", "NodeReady")

    await report(running, Pod, f"{parts[0]}-{name}", "kube-system", ready=False)
    await health(running, "cp-0", "ControlPlaneNotReady")
    await running.client.delete(Node, name)
    for part in parts:
        await running.client.delete(Pod, f"{part}-{name}", "kube-system")


async def report(
    running: Region, model: type[Node | Pod], name: str, namespace: str, *, ready: bool = True
) -> None:
    """What kubelet says about its node and its pods."""
    condition = {"type": "Ready", "status": str(ready)}
    patch = {"status": {"conditions": [condition]}}
    await running.client.merge_patch(model, name, namespace, patch, subresource="status")


async def health(running: Region, machine: str, reason: str) -> None:
    """Returns once the machine's NodeHealthy condition has that reason."""

    async def look() -> bool:
        seen = find_condition((await running.machine(machine)).status.conditions, "NodeHealthy")
        return seen is not None and seen.reason == reason

    await eventually(look)
