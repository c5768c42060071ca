"""When the server of an adopted machine may be deleted."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from vks.kube.objects import ObjectMeta
from vks.provider.verdamachine.adoption import keeps_server, leaves_nothing, objection
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.fields import LocalReference
from vks.resources.verdacluster import VerdaCluster, VerdaClusterSpec
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"


def meta(name: str, deleted: str | None = None, **labels: str) -> ObjectMeta:
    keys = {f"cluster.x-k8s.io/{key.replace('_', '-')}": value for key, value in labels.items()}
    return ObjectMeta(name=name, namespace="n", deletion_timestamp=deleted, labels=keys)


def machine(
    name: str = "cp-0",
    policy: Literal["Retain", "Delete"] = "Delete",
    adopted: str | None = "server-1",
    deleted: str | None = NOW,
    **labels: str,
) -> VerdaMachine:
    spec = VerdaMachineSpec(
        flavor="f", image="i", adopt_server_id=adopted, adopted_server_policy=policy
    )
    return VerdaMachine(
        metadata=meta(name, deleted, **(labels or {"control_plane": ""})), spec=spec
    )


def infrastructure(deleted: str | None = None) -> VerdaCluster:
    spec = VerdaClusterSpec(region="r", identity_ref=LocalReference(name="s"))
    return VerdaCluster(metadata=meta("c", deleted), spec=spec)


CLUSTER, GOING = Cluster(metadata=meta("c")), Cluster(metadata=meta("c", NOW))
OWNER, LEAVING = Machine(metadata=meta("cp-0")), Machine(metadata=meta("cp-0", NOW))


def reason(of: VerdaMachine, owner: Machine | None, peers: list[VerdaMachine]) -> str:
    found = objection(of, owner, CLUSTER, peers)
    return found.reason if found is not None else ""


def test_a_server_is_kept_until_it_is_released() -> None:
    assert keeps_server(machine(policy="Retain"))
    assert not keeps_server(machine(policy="Delete"))
    assert not keeps_server(machine(policy="Retain", adopted=None)), "it is the machine's own"


@pytest.mark.parametrize("owner", [None, OWNER])
def test_a_control_plane_that_its_machine_did_not_give_up_stays(owner: Machine | None) -> None:
    assert reason(machine(), owner, []) == "NotDecidedByMachine"


def test_one_control_plane_goes_after_the_other() -> None:
    first, second = machine("cp-0"), machine("cp-1", deleted=LATER)
    assert reason(first, LEAVING, [first, second]) == ""
    assert reason(second, LEAVING, [first, second]) == "OneControlPlaneAtATime"
    assert reason(second, LEAVING, [machine("cp-0", deleted=None), second]) == ""


@pytest.mark.parametrize(
    "free",
    [
        machine(adopted=None),
        machine(policy="Retain"),
        machine(name="w-0", cluster_name="c"),
    ],
)
def test_nothing_is_said_against_what_costs_no_member(free: VerdaMachine) -> None:
    assert reason(free, OWNER, []) == ""


@pytest.mark.parametrize("cluster", [None, GOING])
def test_a_cluster_that_goes_takes_released_servers_along(cluster: Any) -> None:
    assert objection(machine(), OWNER, cluster, []) is None


def test_only_a_kept_server_of_a_cluster_that_goes_needs_no_cloud() -> None:
    kept = machine(policy="Retain")
    assert leaves_nothing(kept, None)
    assert leaves_nothing(kept, infrastructure(NOW))
    assert not leaves_nothing(kept, infrastructure())
    assert not leaves_nothing(machine(policy="Delete"), None)
