"""What a change of a pool would do, told from objects alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.unit.service.builders import ZONES, managed_cluster, node_pool

from vks.kube.objects import Condition, ObjectMeta
from vks.resources.clusterapi import (
    Machine,
    MachineDeployment,
    MachineDeploymentSpec,
    MachineSpec,
    MachineStatus,
    MachineTemplateMachineSpec,
    MachineTemplateSpec,
)
from vks.resources.fields import Taint
from vks.resources.nodepool import AutoscalingSpec, RootVolumeSpec, UserScriptSpec
from vks.service.nodepool.plan import PoolPlan, ZonePlan, plan

MACHINES = [
    Machine(metadata=ObjectMeta(name=f"m-{zone}"), spec=MachineSpec(failure_domain=zone))
    for zone in reversed(ZONES)
]
DEPLOYMENTS = [
    MachineDeployment(
        spec=MachineDeploymentSpec(
            replicas=1,
            template=MachineTemplateSpec(spec=MachineTemplateMachineSpec(failure_domain=zone)),
        )
    )
    for zone in ZONES
]


def planned(*, machines: list[Machine] = MACHINES, **change: Any) -> PoolPlan:
    pool = node_pool()
    after = msgspec.structs.replace(pool.spec, **change)
    return plan(managed_cluster(), pool, after, DEPLOYMENTS, machines)


def names(found: PoolPlan) -> list[str]:
    return [machine.metadata.name for machine in found.replaced]


@pytest.mark.parametrize(
    "change",
    [
        {"flavor": "large"},
        {"image": "img-2"},
        {"ssh_public_key": "key"},
        {"root_volume": RootVolumeSpec(size_gib=50)},
        {"user_script": UserScriptSpec(pre="x")},
    ],
)
def test_what_a_server_is_made_of_replaces_every_machine(change: dict[str, Any]) -> None:
    found = planned(**change, labels={})
    assert names(found) == ["m-tokyo-1", "m-tokyo-2", "m-tokyo-3"]
    assert found.because == tuple(change)
    assert found.in_place == ("labels",)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"x": "y"}},
        {"key_name": "the same key under another name"},
        {"taints": (Taint(key="k", effect="NoExecute"),)},
        {"max_surge": 3},
        {"max_unavailable": 3},
        {"drain_timeout_seconds": 1},
        {"autoscaling": AutoscalingSpec(min=0, max=9)},
    ],
)
def test_everything_else_replaces_none(change: dict[str, Any]) -> None:
    found = planned(**change)
    assert (names(found), found.because, found.in_place) == ([], (), tuple(change))


def test_the_key_of_the_cluster_named_again_replaces_none() -> None:
    pool = node_pool()
    after = msgspec.structs.replace(pool.spec, key_name="key", ssh_public_key="k")
    cluster = managed_cluster(key_name="key", ssh_public_key="k")
    assert plan(cluster, pool, after, DEPLOYMENTS, MACHINES).replaced == ()


def test_zones_say_how_many_machines_come_and_go() -> None:
    assert planned(replicas=5).zones == (
        ZonePlan("tokyo-1", 1, 2),
        ZonePlan("tokyo-2", 1, 2),
        ZonePlan("tokyo-3", 1, 1),
    )
    left = planned(zones=("tokyo-1",), flavor="large")
    assert left.zones[1:] == (ZonePlan("tokyo-2", 1, 0), ZonePlan("tokyo-3", 1, 0))
    assert names(left) == ["m-tokyo-1"], "what goes with its zone is not replaced"


def test_machines_of_an_earlier_change_are_named_too() -> None:
    outdated = Condition(type="UpToDate", status="False", reason="NotUpToDate")
    status = MachineStatus(conditions=(outdated,))
    machines = [msgspec.structs.replace(MACHINES[0], status=status), *MACHINES[1:]]
    assert names(planned(machines=machines, labels={})) == ["m-tokyo-3"]
