"""Clusters whose users bring the pod network: when VKS's own work is done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from tests.unit.service.builders import NAMESPACE, managed_cluster, node_pool

from vks.kube.objects import Condition, ObjectMeta
from vks.resources.clusterapi import (
    KubeadmControlPlane,
    KubeadmControlPlaneSpec,
    KubeadmControlPlaneStatus,
    Machine,
    MachineDeployment,
    MachineDeploymentSpec,
    MachineTemplateMachineSpec,
    MachineTemplateSpec,
    ReplicaStatus,
)
from vks.resources.contract import CONTROL_PLANE_LABEL
from vks.resources.fields import LocalReference
from vks.resources.managedcluster import ClusterNetworkSpec, ControlPlaneSpec
from vks.resources.verdacluster import VerdaCluster, VerdaClusterSpec, VerdaClusterStatus
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec, VerdaMachineStatus
from vks.service.managedcluster import status as clusters
from vks.service.managedcluster.observe import Observed
from vks.service.nodepool import status as pools

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAITS = ("False", "NoPodNetwork")
READY = ("True", "NodeReady")
BROKEN = ("False", "NodeNotReady")


def server(name: str, health: tuple[str, str] | None) -> VerdaMachine:
    conditions = () if health is None else (condition("NodeHealthy", *health),)
    return VerdaMachine(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE),
        spec=VerdaMachineSpec(flavor="small", image="i"),
        status=VerdaMachineStatus(conditions=conditions),
    )


def condition(type_: str, status: str, reason: str) -> Condition:
    return Condition(type=type_, status=status, reason=reason)


def observed(
    *planes: tuple[str, str] | None,
    workers: tuple[tuple[str, str] | None, ...] = (),
    cni: Literal["default", "none"] = "none",
) -> Observed:
    """A cluster whose nodes are like that; Cluster API counts those that are ready."""
    count, ready = len(planes), sum(health == READY for health in planes)
    servers = [server(f"cp-{n}", health) for n, health in enumerate(planes)]
    labels = {CONTROL_PLANE_LABEL: ""}
    infrastructure = VerdaCluster(
        spec=VerdaClusterSpec(region="tokyo", identity_ref=LocalReference(name="c")),
        status=VerdaClusterStatus(conditions=(condition("Ready", "True", "Ready"),)),
    )
    return Observed(
        cluster=managed_cluster(
            network=ClusterNetworkSpec(cni=cni),
            control_plane=ControlPlaneSpec(replicas=3, flavor="f", image="i", zones=("z",)),
        ),
        infrastructure=infrastructure,
        control_plane=KubeadmControlPlane(
            spec=KubeadmControlPlaneSpec(replicas=3, version="v1.36.3"),
            status=KubeadmControlPlaneStatus(
                replicas=count, ready_replicas=ready, up_to_date_replicas=count
            ),
        ),
        machines=tuple(
            Machine(metadata=ObjectMeta(name=one.metadata.name, labels=labels)) for one in servers
        ),
        verda_machines=(*servers, *(server(f"w-{n}", h) for n, h in enumerate(workers))),
    )


def status_of(seen: Observed) -> dict[str, Any]:
    assert seen.cluster is not None
    status = clusters.status_of(seen.cluster, seen, (True, ""), NOW)
    by_type = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    return {"phase": status["phase"], **by_type}


def test_a_cluster_that_lacks_only_its_users_network_is_made() -> None:
    status = status_of(observed(WAITS, WAITS, WAITS, workers=(WAITS,)))
    assert status["Ready"] == ("False", "WaitingForPodNetwork")
    assert status["Provisioned"][0] == "True"
    assert status["phase"] == "Running"


@pytest.mark.parametrize(
    "planes", [(WAITS, WAITS), (WAITS, WAITS, None), (WAITS, WAITS, BROKEN), ()]
)
def test_one_that_lacks_more_is_not(planes: tuple[tuple[str, str] | None, ...]) -> None:
    status = status_of(observed(*planes))
    assert "Provisioned" not in status
    assert status["phase"] != "Running"


def test_a_network_of_vkss_is_waited_for() -> None:
    seen = observed(WAITS, WAITS, WAITS, cni="default")
    assert seen.unconnected == frozenset()
    assert "Provisioned" not in status_of(seen)


def test_once_a_node_has_the_network_the_others_are_waited_for() -> None:
    seen = observed(WAITS, WAITS, WAITS, workers=(READY, WAITS))
    assert seen.unconnected == frozenset()
    assert status_of(seen)["Ready"][1] != "WaitingForPodNetwork"
    assert status_of(observed(READY, READY, READY))["Ready"] == ("True", "ClusterReady")


@pytest.mark.parametrize(
    ("lacking", "reason", "phase"),
    [
        ({}, "Scaling", "Scaling"),
        ({"z": 1}, "Scaling", "Scaling"),
        ({"z": 2}, "WaitingForPodNetwork", "Running"),
    ],
)
def test_a_pool_has_what_vks_gives_when_its_nodes_lack_the_network_only(
    lacking: dict[str, int], reason: str, phase: str
) -> None:
    place = MachineTemplateSpec(spec=MachineTemplateMachineSpec(failure_domain="z"))
    deployment = MachineDeployment(
        spec=MachineDeploymentSpec(replicas=3, template=place),
        status=ReplicaStatus(replicas=3, ready_replicas=1, up_to_date_replicas=3),
    )
    pool = node_pool(zones=("z",))
    status = pools.status_of(pool, [deployment], {"z": 3}, "", "", NOW, unconnected=lacking)
    ready = next(one for one in status["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"], status["phase"]) == ("False", reason, phase)
