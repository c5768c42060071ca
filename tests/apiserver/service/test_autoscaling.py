"""The contract with cluster-autoscaler, driven exactly as its provider `clusterapi` drives it.

Field by field: cluster-autoscaler/cloudprovider/clusterapi/README.md. A node group grows by
writing the scale subresource (GET, then PUT, as client-go's scale client does). It shrinks by
annotating the machine that goes (GET, then PUT of the whole Machine) and writing scale.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.apiserver.service.conftest import Vks
from tests.apiserver.service.test_pools import POOL, created, deployments, machine, patched
from tests.support.service import controllers, until

from vks.kube.errors import Conflict
from vks.resources.clusterapi import Machine, MachineDeployment
from vks.service.provisioners.capi.autoscaling import DELETE_MACHINE

MIN = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
MAX = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"
CAPACITY = "capacity.cluster-autoscaler.kubernetes.io"


def autoscaled(least: int, most: int, **more: Any) -> dict[str, Any]:
    pool = {"name": "default", "flavor": "small", "autoscaling": {"min": least, "max": most}}
    return {"nodePools": [{**pool, **more}]}


class Autoscaler:
    """What the program does to a management cluster, call by call."""

    def __init__(self, vks: Vks) -> None:
        self._vks = vks

    async def set_size(self, deployment: str, replicas: int) -> None:
        def size(scale: dict[str, Any]) -> None:
            scale["spec"]["replicas"] = replicas

        await self._update(f"{self._path('machinedeployments')}/{deployment}/scale", size)

    async def mark_for_deletion(self, machine: str) -> None:
        def mark(body: dict[str, Any]) -> None:
            body["metadata"].setdefault("annotations", {})[DELETE_MACHINE] = "2030-01-01 00:00:00"

        await self._update(f"{self._path('machines')}/{machine}", mark)

    async def _update(self, path: str, change: Callable[[dict[str, Any]], None]) -> None:
        """GET and PUT; a conflict is tried again, as its next loop would."""

        async def written() -> bool:
            body = json.loads(await self._vks.client.raw("GET", path))
            change(body)
            data = json.dumps(body).encode()
            params = {"fieldManager": "cluster-autoscaler"}
            try:
                await self._vks.client.raw("PUT", path, params=params, body=data)
            except Conflict:
                return False
            return True

        await until(written)

    def _path(self, plural: str) -> str:
        return f"/apis/cluster.x-k8s.io/v1beta2/namespaces/{self._vks.namespace}/{plural}"


async def sizes(vks: Vks) -> list[int]:
    return [deployment.spec.replicas for deployment in await deployments(vks)]


async def reach(vks: Vks, wanted: list[int]) -> None:
    async def probe() -> bool:
        return await sizes(vks) == wanted

    await until(probe)


async def test_every_zone_is_a_node_group_that_can_be_scaled_from_zero(vks: Vks) -> None:
    taints = [
        {"key": "gpu", "value": "a", "effect": "NoSchedule"},
        {"key": "spot", "effect": "NoExecute"},
    ]
    await created(vks, **autoscaled(1, 5, labels={"tier": "web"}, taints=taints))
    found = {d.spec.template.spec.failure_domain: d for d in await deployments(vks)}
    said = {zone: found[zone].metadata.annotations for zone in found}
    assert {zone: (said[zone][MIN], said[zone][MAX]) for zone in said} == {
        "tokyo-1": ("1", "2"),
        "tokyo-2": ("0", "2"),
        "tokyo-3": ("0", "1"),
    }
    assert said["tokyo-2"][f"{CAPACITY}/labels"] == (
        "tier=web,topology.kubernetes.io/region=tokyo,topology.kubernetes.io/zone=tokyo-2,"
        "vks.verda/pool=default"
    )
    assert said["tokyo-2"][f"{CAPACITY}/taints"] == "gpu=a:NoSchedule,spot=:NoExecute"
    assert {d.metadata.labels["cluster.x-k8s.io/cluster-name"] for d in found.values()} == {"demo"}
    assert await sizes(vks) == [1, 0, 0], "a new pool starts with its min"


async def test_what_the_autoscaler_says_is_not_fought(vks: Vks) -> None:
    await created(vks, **autoscaled(0, 9))
    autoscaler = Autoscaler(vks)
    await deployments(vks)
    await autoscaler.set_size("demo-default-tokyo-2", 3)
    await autoscaler.set_size("demo-default-tokyo-1", 1)
    # Whatever makes the controller apply again: a change of its own, another process.
    await patched(vks, {"labels": {"tier": "web"}})
    async with controllers(vks.client):
        await patched(vks, {"labels": {"tier": "db"}})
        await patched(vks, {"drainTimeoutSeconds": 30})
    assert await sizes(vks) == [1, 3, 0]
    await autoscaler.set_size("demo-default-tokyo-2", 0)
    await patched(vks, {"labels": {"tier": "x"}})
    assert await sizes(vks) == [1, 0, 0]
    shown = (await vks.call("GET", POOL)).json()
    assert shown["replicas"] == 1


async def test_a_pool_of_fixed_size_is_handed_over_and_taken_back(vks: Vks) -> None:
    pool = {"name": "default", "replicas": 6, "flavor": "small"}
    await created(vks, nodePools=[pool])
    await reach(vks, [2, 2, 2])
    await patched(vks, {"autoscaling": {"min": 0, "max": 9}})
    assert await sizes(vks) == [2, 2, 2], "nothing moves when the autoscaler takes over"
    await Autoscaler(vks).set_size("demo-default-tokyo-3", 3)
    await patched(vks, {"labels": {"tier": "web"}})
    assert await sizes(vks) == [2, 2, 3]

    async def counted() -> bool:
        return bool((await vks.call("GET", POOL)).json()["replicas"] == 7)

    await until(counted)
    await patched(vks, {"autoscaling": None})
    await reach(vks, [2, 2, 3])
    (one, *_) = await deployments(vks)
    assert MIN not in one.metadata.annotations
    await patched(vks, {"replicas": 3})
    await reach(vks, [1, 1, 1])


async def test_bounds_that_move_past_the_present_number_move_it(vks: Vks) -> None:
    """The autoscaler does nothing for a group that is outside of its bounds."""
    await created(vks, **autoscaled(0, 9))
    assert await sizes(vks) == [0, 0, 0]
    await patched(vks, {"autoscaling": {"min": 3, "max": 9}})
    await reach(vks, [1, 1, 1])
    await Autoscaler(vks).set_size("demo-default-tokyo-1", 3)
    await patched(vks, {"autoscaling": {"min": 3, "max": 6}})
    await reach(vks, [2, 1, 1])


async def test_the_machine_that_was_chosen_stays_chosen(vks: Vks) -> None:
    await created(vks, **autoscaled(0, 9, replicas=3))
    await reach(vks, [1, 1, 1])
    chosen = await machine(vks, (await deployments(vks))[0])
    autoscaler = Autoscaler(vks)
    await autoscaler.mark_for_deletion(chosen)
    await autoscaler.set_size("demo-default-tokyo-1", 0)
    await patched(vks, {"labels": {"tier": "web"}})
    found = await vks.client.get(Machine, chosen, vks.namespace)
    assert DELETE_MACHINE in found.metadata.annotations
    assert await sizes(vks) == [0, 1, 1]


async def test_nobody_else_holds_the_number_once_the_autoscaler_wrote_it(vks: Vks) -> None:
    await created(vks, **autoscaled(0, 9))
    await deployments(vks)
    await Autoscaler(vks).set_size("demo-default-tokyo-1", 2)
    await patched(vks, {"labels": {"tier": "web"}})
    found = await vks.client.get(MachineDeployment.resource, "demo-default-tokyo-1", vks.namespace)
    holders = [
        entry["manager"]
        for entry in found["metadata"]["managedFields"]
        if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
    ]
    assert holders == ["cluster-autoscaler"]
