"""Machines of servers that are taken over: equal to what is wanted, so that nothing is replaced."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.migration.builders import control_plane, deployment, legacy_node

from vks.migration.adopt.checks import objections, would_roll
from vks.migration.adopt.machines import (
    HOOK,
    control_plane_bodies,
    machine_set,
    needs_local_mode,
    worker_bodies,
)
from vks.provider.ownership import owner_id
from vks.resources.contract import OWNER_ANNOTATION
from vks.resources.legacycluster import LegacyEtcdMember
from vks.resources.verdamachine import VerdaMachine


def test_a_control_planes_config_is_the_control_planes_own_as_a_joined_node_has_it() -> None:
    plane = control_plane()
    config, _, machine = control_plane_bodies(legacy_node("a"), plane)
    wanted = plane["spec"]["kubeadmConfigSpec"]
    spec = config["spec"]
    assert "initConfiguration" not in spec
    assert spec["joinConfiguration"] == {**wanted["joinConfiguration"], "controlPlane": {}}
    for field in ("clusterConfiguration", "files"):
        assert spec[field] == wanted[field]
    assert machine["spec"]["version"] == plane["spec"]["version"]
    assert machine["spec"]["bootstrap"]["configRef"]["name"] == config["metadata"]["name"]
    assert "initConfiguration" in wanted  # what was read is not changed


@pytest.mark.parametrize(
    ("version", "needed"), [("v1.30.9", False), ("v1.35.4", True), ("v1.36.3", False)]
)
def test_the_feature_gate_that_is_set_behind_ones_back_is_set_too(
    version: str, needed: bool
) -> None:
    assert needs_local_mode(version) is needed
    config, _, _ = control_plane_bodies(legacy_node("a"), control_plane(version=version))
    gates = config["spec"]["clusterConfiguration"].get("featureGates", {})
    assert gates.get("ControlPlaneKubeletLocalMode", False) is needed


def test_the_control_plane_provider_sees_configs_and_machines_by_their_labels() -> None:
    for body in control_plane_bodies(legacy_node("a"), control_plane()):
        labels = body["metadata"]["labels"]
        assert labels["cluster.x-k8s.io/control-plane"] == ""
        assert labels["cluster.x-k8s.io/cluster-name"] == "old"


def test_a_server_is_kept_until_it_is_released_and_nothing_compares_it_with_a_template() -> None:
    for _, server, machine in [
        control_plane_bodies(legacy_node("a"), control_plane()),
        (None, *worker_bodies(legacy_node("w", pool="default"), deployment())),
    ]:
        assert server["spec"]["adoptedServerPolicy"] == "Retain"
        name = server["metadata"]["name"]
        assert server["spec"]["adoptServerID"] == f"server-{name}"
        assert server["metadata"]["annotations"] == {OWNER_ANNOTATION: f"uid-{name}"}
        assert HOOK in machine["metadata"]["annotations"]


def test_the_cloud_knows_the_machine_by_the_legacy_nodes_mark() -> None:
    _, server, _ = control_plane_bodies(legacy_node("a"), control_plane())
    assert owner_id(msgspec.convert(server, VerdaMachine)) == "uid-a"


def test_a_machine_set_is_the_one_that_its_deployment_wants() -> None:
    wanted = deployment(replicas=2)
    adopted = machine_set(wanted)
    assert not would_roll(wanted, adopted)
    spec = adopted["spec"]
    assert spec["replicas"] == 2
    assert spec["template"]["spec"] == wanted["spec"]["template"]["spec"]
    selected = spec["selector"]["matchLabels"].items()
    assert selected <= spec["template"]["metadata"]["labels"].items()
    assert selected > wanted["spec"]["selector"]["matchLabels"].items()
    _, machine = worker_bodies(legacy_node("w", pool="default"), wanted)
    assert selected <= machine["metadata"]["labels"].items()
    assert machine["metadata"]["labels"]["cluster.x-k8s.io/set-name"] == adopted["metadata"]["name"]


def test_a_deployment_that_has_changed_meanwhile_would_roll() -> None:
    adopted, changed = machine_set(deployment()), deployment()
    changed["spec"]["template"]["spec"]["version"] = "v1.37.0"
    assert would_roll(changed, adopted)


NODES = [
    *(legacy_node(name) for name in ("a", "b", "c")),
    legacy_node("w1", pool="default"),
    legacy_node("w2", pool="default", zone="tokyo-2"),
]
MEMBERS = [LegacyEtcdMember(name=name, peer_url=f"https://{name}:2380") for name in "abc"]
POOLS = {("default", zone): deployment(zone=zone) for zone in ("tokyo-1", "tokyo-2")}


def test_there_is_nothing_against_a_cluster_that_is_as_it_is_described() -> None:
    assert objections(NODES, MEMBERS, control_plane(), POOLS) == []


def test_everything_that_would_be_made_or_removed_is_said_at_once() -> None:
    members = [*MEMBERS[:2], LegacyEtcdMember(name="etcd-c", peer_url="https://c:2380")]
    pools = {**POOLS, ("default", "tokyo-2"): deployment(zone="tokyo-2", replicas=2)}
    found = objections(NODES, members, control_plane(replicas=5), pools)
    assert found == [
        "etcd's members and the control planes differ: c, etcd-c",
        "5 control planes are wanted, there are 3",
        "pool default wants 2 nodes in tokyo-2, there are 1",
    ]
