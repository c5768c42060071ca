"""What the legacy provisioner is asked for, and how its answer looks to the rest of the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import yaml
from tests.unit.legacy.builders import cluster as legacy_cluster
from tests.unit.legacy.builders import node, pool
from tests.unit.service.builders import managed_cluster, node_pool

from vks.kube.objects import Condition, ObjectMeta
from vks.resources.fields import Endpoint, LocalReference
from vks.resources.legacycluster import LegacyCluster, LegacyControlPlaneStatus, LegacySlot
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import ClusterNetworkSpec, ManagedCluster
from vks.resources.nodepool import StaticIPSpec
from vks.resources.verdaport import SlotSpec
from vks.service.managedcluster.observe import Observed
from vks.service.managedcluster.status import status_of
from vks.service.provisioners.capi.manifest import Manifest
from vks.service.provisioners.legacy import view
from vks.service.provisioners.legacy.addresses import port_pools_of
from vks.service.provisioners.legacy.cluster import legacy_manifests

replace = msgspec.structs.replace
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDPOINT = Endpoint(host="10.0.0.1", port=6443)


def requested(cluster: ManagedCluster | None = None, **pools: int) -> list[Manifest]:
    chosen = [node_pool(name, replicas=count) for name, count in pools.items()]
    return legacy_manifests(cluster or managed_cluster(provisioner="legacy"), chosen, None)


def test_one_object_says_all_of_a_cluster() -> None:
    add_ons, made = requested(default=4)
    assert made.model is LegacyCluster
    spec = made.body["spec"]
    assert spec["controlPlane"]["replicas"] == 3
    assert spec["addOns"] == {"name": add_ons.key.name}
    (pool_,) = spec["nodePools"]
    assert {zone["name"]: zone["replicas"] for zone in pool_["zones"]} == {
        "tokyo-1": 2,
        "tokyo-2": 1,
        "tokyo-3": 1,
    }
    decoded = msgspec.convert({**made.body}, LegacyCluster)
    assert decoded.spec.node_pools[0].name == "default"


def test_pools_without_a_key_have_that_of_the_cluster() -> None:
    cluster = managed_cluster(provisioner="legacy", key_name="k", ssh_public_key="key 1")
    pools = [node_pool("a"), node_pool("b", ssh_public_key="key 2")]
    spec = legacy_manifests(cluster, pools, None)[-1].body["spec"]
    assert spec["controlPlane"]["sshPublicKey"] == "key 1"
    assert [one["sshPublicKey"] for one in spec["nodePools"]] == ["key 1", "key 2"]
    assert "sshPublicKey" not in str(requested(default=1)[-1].body)


def test_pools_have_versions_of_their_own_and_what_is_paused_says_so() -> None:
    cluster = managed_cluster(provisioner="legacy", version="v1.36.3")
    pools = [node_pool("a", version="v1.36.3"), node_pool("b", version="v1.35.4")]
    spec = legacy_manifests(cluster, pools, None)[-1].body["spec"]
    assert spec["version"] == "v1.36.3"
    assert [one["version"] for one in spec["nodePools"]] == ["v1.36.3", "v1.35.4"]
    assert "paused" not in str(spec)
    made = legacy_manifests(cluster, pools, None, paused_pools={"a"})[-1].body["spec"]
    assert [one.get("paused") for one in made["nodePools"]] == [True, None]
    made = legacy_manifests(cluster, pools, None, pause_control_plane=True)[-1].body["spec"]
    assert made["controlPlane"]["paused"]


def test_a_pool_that_is_being_deleted_is_asked_for_no_longer() -> None:
    going = node_pool()
    meta = replace(going.metadata, deletion_timestamp="2026-01-01T00:00:00Z")
    going = replace(going, metadata=meta)
    made = legacy_manifests(managed_cluster(provisioner="legacy"), [going], None)
    assert made[-1].body["spec"]["nodePools"] == []


def test_pools_stay_spread_as_they_are() -> None:
    spread: dict[str, Any] = {"tokyo-1": 1, "tokyo-2": 2, "tokyo-3": 1}
    present = legacy_cluster(pool(**spread))
    made = legacy_manifests(managed_cluster(provisioner="legacy"), [node_pool(replicas=4)], present)
    zones = made[-1].body["spec"]["nodePools"][0]["zones"]
    assert {zone["name"]: zone["replicas"] for zone in zones} == {
        "tokyo-1": 1,
        "tokyo-2": 2,
        "tokyo-3": 1,
    }


def test_the_pod_network_is_the_same_and_reaches_the_api_by_the_nodes_own_way() -> None:
    config = requested()[0].body["data"]["vks-cni.yaml"]
    daemon_set = next(o for o in yaml.safe_load_all(config) if o["kind"] == "DaemonSet")
    env = {
        entry["name"]: entry.get("value")
        for entry in daemon_set["spec"]["template"]["spec"]["initContainers"][0]["env"]
    }
    assert env["KUBERNETES_SERVICE_HOST"] == "127.0.0.1"
    assert env["KUBERNETES_SERVICE_PORT"] == "7443"
    without = managed_cluster(provisioner="legacy", network=ClusterNetworkSpec(cni="none"))
    assert len(requested(without)) == 1
    assert "addOns" not in requested(without)[0].body["spec"]


def observed(legacy: LegacyCluster, nodes: list[LegacyNode]) -> Observed:
    return Observed(
        cluster=managed_cluster(provisioner="legacy"),
        infrastructure=view.infrastructure_of(legacy),
        control_plane=view.control_plane_of(legacy),
        deployments=tuple(view.deployments_of(legacy, nodes)),
        machines=tuple(map(view.machine_of, nodes)),
        verda_machines=tuple(map(view.server_of, nodes)),
        legacy=legacy,
    )


def test_a_node_with_another_key_than_its_pools_is_not_up_to_date() -> None:
    keyed = replace(pool(), ssh_public_key="ssh-rsa AA==")
    worker = node("w", "worker")
    for wanted, current in ((pool(), 1), (keyed, 0)):
        (deployment, *_) = view.deployments_of(legacy_cluster(wanted), [worker])
        assert deployment.status.up_to_date_replicas == current


def running(**status: Any) -> LegacyCluster:
    plane = LegacyControlPlaneStatus(replicas=3, ready_replicas=3, up_to_date_replicas=3)
    network = (Condition(type="NetworkReady", status="True", reason="Provisioned"),)
    known = {"control_plane": plane, "endpoint": ENDPOINT, "conditions": network}
    return legacy_cluster(pool(), **{"observed_generation": 1, **known, **status})


def conditions(seen: Observed) -> dict[str, tuple[str, str]]:
    assert seen.cluster is not None
    body = status_of(seen.cluster, seen, (True, ""), NOW)
    return {c["type"]: (c["status"], c["reason"]) for c in body["conditions"]}


def test_a_running_cluster_says_what_any_other_would() -> None:
    seen = observed(running(), [])
    found = conditions(seen)
    assert found["Ready"] == ("True", "ClusterReady")
    assert found["InfrastructureReady"] == ("True", "Provisioned")
    assert seen.endpoint == ENDPOINT
    assert seen.control_plane_settled


@pytest.mark.parametrize(
    "plane",
    [
        LegacyControlPlaneStatus(replicas=3, ready_replicas=2, up_to_date_replicas=3),
        LegacyControlPlaneStatus(replicas=4, ready_replicas=4, up_to_date_replicas=4),
        LegacyControlPlaneStatus(replicas=3, ready_replicas=3, up_to_date_replicas=2),
    ],
)
def test_a_control_plane_that_changes_is_not_settled(plane: LegacyControlPlaneStatus) -> None:
    seen = observed(running(control_plane=plane), [])
    assert not seen.control_plane_settled
    assert conditions(seen)["ControlPlaneReady"] == ("False", "ScalingOrRollingOut")


def test_a_change_that_has_not_been_seen_is_not_settled() -> None:
    assert not observed(running(observed_generation=0), []).control_plane_settled


def test_a_node_is_a_machine_with_a_server() -> None:
    of = node(
        "w-1",
        "worker",
        pool="default",
        zone="z2",
        age=4,
        server_id="s1",
        server_state="ACTIVE",
        provider_id="verda:///tokyo/z2/s1",
        version="v1.36.3",
    )
    machine, server = view.machine_of(of), view.server_of(of)
    assert machine.metadata.labels["vks.verda/pool"] == "default"
    assert not machine.is_control_plane
    assert machine.status.node_ref is not None
    assert (machine.spec.failure_domain, machine.spec.version) == ("z2", "v1.36.3")
    assert machine.spec.provider_id == "verda:///tokyo/z2/s1"
    assert (server.status.server_id, server.metadata.name) == ("s1", "w-1")
    assert view.machine_of(node("cp-1")).is_control_plane
    coming = node("w-2", "worker", ready=False)
    coming = replace(coming, spec=replace(coming.spec, version="v1.36.3"))
    assert view.machine_of(coming).spec.version == "v1.36.3", "before its image has said so"
    lost = node("w-1", "worker", conditions={"ServerReady": "ServerFailed", "Ready": "x"})
    reasons = {condition.reason for condition in view.server_of(lost).status.conditions}
    assert reasons == {"ServerFailed"}


def test_pools_are_counted_by_zone() -> None:
    nodes = [
        node("w-1", "worker", zone="z1"),
        node("w-2", "worker", zone="z1", ready=False),
        node("w-3", "worker", zone="z9", image="old"),
    ]
    found = {d.spec.template.spec.failure_domain: d for d in view.deployments_of(running(), nodes)}
    assert set(found) == {"z1", "z2", "z9"}
    z1, gone = found["z1"], found["z9"]
    assert (z1.spec.replicas, z1.status.replicas, z1.status.ready_replicas) == (1, 2, 1)
    assert (gone.spec.replicas, gone.status.replicas, gone.status.up_to_date_replicas) == (0, 1, 0)


def test_what_is_left_is_counted_while_a_cluster_goes() -> None:
    bare = LegacyNode(metadata=ObjectMeta(name="x"), spec=node("x").spec)
    left = observed(running(), [bare]).remaining()
    assert left["Machine"] == 1
    assert left["KubeadmControlPlane"] == 1


def test_reserved_addresses_are_asked_for_and_shown_as_a_port_pool() -> None:
    slots = (SlotSpec(name="1"), SlotSpec(name="2", zone="tokyo-2"), SlotSpec(name="3"))
    asked = node_pool("edge", replicas=1, static_ip=StaticIPSpec(slots=slots))
    (wanted,) = legacy_manifests(managed_cluster(provisioner="legacy"), [asked], None)[-1].body[
        "spec"
    ]["nodePools"]
    assert [slot["name"] for slot in wanted["staticIP"]["slots"]] == ["1", "2", "3"]

    reserved = [
        LegacySlot(pool="edge", name=name, port_id=f"p-{name}", address=f"10.0.0.{name}")
        for name in ("1", "2")
    ]
    holder = node("w-1", "worker", pool="edge", slot="1", server_id="s-1")
    made = legacy_cluster(pool("edge", slots=slots), slots=tuple(reserved))
    (found,) = port_pools_of(made, [holder])
    assert (found.pool.metadata.name, found.pool.status.free) == ("demo.edge", 1)
    states = {name: port.status.state for name, port in found.ports.items()}
    assert states == {"1": "InUse", "2": "Free", "3": "Reserving"}
    claim = found.ports["1"].spec.claim
    assert claim is not None
    assert claim.name == "w-1"
    (ready,) = found.pool.status.conditions
    assert (ready.status, ready.message) == ("False", "slot 3: not reserved yet")
    assert view.server_of(holder).spec.port_pool_ref == LocalReference(name="demo.edge")
