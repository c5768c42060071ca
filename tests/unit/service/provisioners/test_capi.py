"""What the Cluster API provisioner makes, and above all what it does not change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.service.builders import ZONES, managed_cluster, node_pool

from vks.resources.clusterapi import MachineDeployment
from vks.resources.fields import Endpoint, Taint
from vks.resources.managedcluster import (
    BootstrapSpec,
    ClusterNetworkSpec,
    ControlPlaneSpec,
    InheritedSpec,
    ManagedCluster,
)
from vks.resources.nodepool import NodePool, UserScriptSpec
from vks.service.provisioners.capi.addons import addon_manifests
from vks.service.provisioners.capi.bootstrap import control_plane_config
from vks.service.provisioners.capi.cluster import cluster_manifests
from vks.service.provisioners.capi.manifest import Manifest
from vks.service.provisioners.capi.workers import pool_manifests

GOLDEN = Path(__file__).parents[1] / "golden"
ENDPOINT = Endpoint(host="10.60.0.5", port=6443)
EVEN = {zone: 1 for zone in ZONES}


def rolling_part(manifests: list[Manifest]) -> Any:
    """What Cluster API compares when it decides whether a machine has to be replaced."""
    parts: list[Any] = []
    for manifest in manifests:
        kind, spec = manifest.model.resource.kind, manifest.body.get("spec", {})
        if kind == "KubeadmControlPlane":
            reference = spec["machineTemplate"]["spec"]["infrastructureRef"]
            parts.append([kind, spec["version"], reference, spec["kubeadmConfigSpec"]])
        if kind == "MachineDeployment":
            machine = spec["template"]["spec"]
            fields = ("version", "failureDomain", "bootstrap", "infrastructureRef")
            parts.append([kind, manifest.key.name, *(machine[field] for field in fields)])
        if kind.endswith("Template"):
            parts.append([kind, manifest.key.name, spec])
    return parts


def everything(cluster: ManagedCluster, pool: NodePool) -> list[Manifest]:
    return [
        *cluster_manifests(cluster, ZONES),
        *pool_manifests(cluster, pool, EVEN),
        *addon_manifests(cluster, ENDPOINT),
    ]


def test_the_objects_are_those_of_the_golden_file() -> None:
    """If this fails because you changed the builder: deploying it rolls every machine of every
    cluster when `rolling_part` differs. Then keep the old form for existing clusters instead."""
    made = [
        {"kind": manifest.model.resource.kind, **manifest.body}
        for manifest in everything(managed_cluster(), node_pool())
    ]
    assert made == json.loads((GOLDEN / "cluster.json").read_text())


def test_startup_probes_are_those_of_the_golden_file() -> None:
    """As above, for the clusters of regions that set `startupProbeSeconds`."""
    cluster = managed_cluster(bootstrap=BootstrapSpec(startup_probe_seconds=1))
    golden = json.loads((GOLDEN / "control-plane-startup-probes.json").read_text())
    assert control_plane_config(cluster) == golden


def test_a_part_that_starts_slowly_has_as_long_as_kubeadm_gives_it() -> None:
    for seconds in (1, 7, 60):
        cluster = managed_cluster(bootstrap=BootstrapSpec(startup_probe_seconds=seconds))
        for file in control_plane_config(cluster)["files"][1:]:
            (container,) = yaml.safe_load(file["content"])["spec"]["containers"]
            probe = container["startupProbe"]
            assert 180 < probe["failureThreshold"] * probe["periodSeconds"] <= 240


def test_names_in_references_are_names_of_objects() -> None:
    manifests = everything(managed_cluster(), node_pool())
    names = {(manifest.model.resource.kind, manifest.key.name) for manifest in manifests}
    for manifest in manifests:
        for reference in references(manifest.body):
            assert (reference["kind"], reference["name"]) in names


def references(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        found = [value] if {"apiGroup", "kind", "name"} == set(value) else []
        return found + [ref for part in value.values() for ref in references(part)]
    if isinstance(value, list):
        return [ref for part in value for ref in references(part)]
    return []


labels = st.dictionaries(st.sampled_from(["a", "tier", "x/y"]), st.sampled_from(["", "1", "web"]))
taints = st.lists(
    st.builds(
        Taint,
        key=st.sampled_from(["k", "gpu"]),
        value=st.sampled_from(["", "v"]),
        effect=st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
    ),
    max_size=3,
).map(tuple)


@given(
    labels,
    taints,
    st.integers(0, 50),
    st.sampled_from([1, 3, 5, 7]),
    st.lists(st.sampled_from([*ZONES, "tokyo-4", "tokyo-5"]), unique=True),
    st.sampled_from(["default", "none"]),
)
def test_0_machines_roll_when_nothing_of_the_machines_changes(
    labels: dict[str, str],
    taints: tuple[Taint, ...],
    replicas: int,
    control_planes: int,
    region_zones: list[str],
    cni: Any,
) -> None:
    """Scaling, labels, taints, the region's zones, add-ons: none of it replaces a machine."""
    cluster, pool = managed_cluster(), node_pool()
    before = rolling_part(
        [*cluster_manifests(cluster, ZONES), *pool_manifests(cluster, pool, EVEN)]
    )
    changed = managed_cluster(
        control_plane=ControlPlaneSpec(
            replicas=control_planes, flavor="small", image="img-1", zones=ZONES
        ),
        network=ClusterNetworkSpec(cni=cni),
    )
    changed_pool = node_pool(labels=labels, taints=taints, replicas=replicas)
    after = rolling_part(
        [
            *cluster_manifests(changed, region_zones),
            *pool_manifests(changed, changed_pool, EVEN),
        ]
    )
    assert after == before


@pytest.mark.parametrize("change", [{"flavor": "large"}, {"image": "img-2"}])
def test_another_flavor_or_image_is_another_template(change: dict[str, str]) -> None:
    cluster = managed_cluster()
    before = pool_manifests(cluster, node_pool(), EVEN)
    after = pool_manifests(cluster, node_pool(**change), EVEN)
    assert before[0].key != after[0].key
    assert before[1].key == after[1].key, "the bootstrap did not change"


def users(manifests: list[Manifest]) -> dict[str, Any]:
    """Whose keys the control planes and the workers have."""
    return {
        manifest.model.resource.kind: config.get("users")
        for manifest in manifests
        for kind, config in (
            ("KubeadmControlPlane", manifest.body.get("spec", {}).get("kubeadmConfigSpec")),
            (
                "KubeadmConfigTemplate",
                manifest.body.get("spec", {}).get("template", {}).get("spec"),
            ),
        )
        if kind == manifest.model.resource.kind
    }


def user(key: str) -> list[dict[str, Any]]:
    """As in cloud-init's `users`."""
    common = {"name": "vks", "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL"}
    return [{**common, "sshAuthorizedKeys": [key]}]


def test_a_key_goes_into_the_bootstrap_data_and_nova_is_told_no_name() -> None:
    """Its key pairs belong to users, and the servers are made by the service's own."""
    cluster = managed_cluster(key_name="mine", ssh_public_key="key 1")
    made = everything(cluster, node_pool())
    assert users(made) == dict.fromkeys(
        ("KubeadmControlPlane", "KubeadmConfigTemplate"), user("key 1")
    )
    assert "keyName" not in json.dumps([manifest.body for manifest in made])
    own = everything(cluster, node_pool(key_name="other", ssh_public_key="key 2"))
    assert users(own)["KubeadmConfigTemplate"] == user("key 2")


@pytest.mark.parametrize("script", [None, UserScriptSpec(pre="true")])
def test_another_key_is_another_bootstrap_of_the_same_servers(script: Any) -> None:
    before, after = (
        pool_manifests(managed_cluster(), node_pool(user_script=script, **key), EVEN)
        for key in ({}, {"ssh_public_key": "key 1"})
    )
    assert before[0].key == after[0].key
    assert before[1].key != after[1].key


def test_two_pools_never_share_a_template() -> None:
    cluster = managed_cluster()
    first = pool_manifests(cluster, node_pool("a"), EVEN)
    second = pool_manifests(cluster, node_pool("b"), EVEN)
    assert not {m.key for m in first} & {m.key for m in second}


def test_a_pool_has_one_machine_deployment_per_zone() -> None:
    made = pool_manifests(managed_cluster(), node_pool(), {"tokyo-1": 2, "tokyo-2": 0})
    deployments = [m.body["spec"] for m in made if m.model is MachineDeployment]
    assert [(d["template"]["spec"]["failureDomain"], d["replicas"]) for d in deployments] == [
        ("tokyo-1", 2),
        ("tokyo-2", 0),
    ]


def test_host_names_stay_below_64_characters() -> None:
    cluster = managed_cluster("c" * 32)
    pool = node_pool("p" * 20, cluster="c" * 32)
    names = [
        manifest.key.name
        for manifest in pool_manifests(cluster, pool, {"a-very-long-zone-name-1": 1})
        if manifest.model is MachineDeployment
    ]
    assert all(len(f"{name}-12345-12345") <= 63 for name in names)


def test_control_planes_may_be_placed_in_the_chosen_zones_only() -> None:
    cluster = managed_cluster(
        control_plane=ControlPlaneSpec(flavor="small", image="i", zones=("tokyo-2",))
    )
    body = cluster_manifests(cluster, ZONES)[1].body
    assert body["spec"]["failureDomains"] == {
        "tokyo-1": {"controlPlane": False},
        "tokyo-2": {"controlPlane": True},
        "tokyo-3": {"controlPlane": False},
    }


def test_without_cni_there_is_no_add_on_and_no_route() -> None:
    cluster = managed_cluster(network=ClusterNetworkSpec(cni="none"))
    assert addon_manifests(cluster, ENDPOINT) == []
    infrastructure = cluster_manifests(cluster, ZONES)[1].body
    assert infrastructure["spec"]["podRoutes"] == "Unmanaged"


def test_the_cni_reaches_the_api_server_before_kube_proxy_runs() -> None:
    config = addon_manifests(managed_cluster(), ENDPOINT)[0].body["data"]["vks-cni.yaml"]
    daemon_set = next(o for o in yaml.safe_load_all(config) if o["kind"] == "DaemonSet")
    env = {
        entry["name"]: entry.get("value")
        for entry in daemon_set["spec"]["template"]["spec"]["initContainers"][0]["env"]
    }
    assert env["KUBERNETES_SERVICE_HOST"] == "10.60.0.5"
    assert env["KUBERNETES_SERVICE_PORT"] == "6443"


def test_every_manifest_is_json() -> None:
    for manifest in everything(managed_cluster(), node_pool()):
        assert json.loads(msgspec.json.encode(manifest.body)) == manifest.body


INHERITED = InheritedSpec(
    api_server_args={"service-account-issuer": "old"},
    controller_manager_args={"feature-gates": "A=true"},
    scheduler_args={"v": "2"},
    server_names=("10.60.0.5", "localhost"),
    encryption_secret="demo-encryption",
)


def test_a_cluster_keeps_what_it_inherited() -> None:
    config = control_plane_config(managed_cluster(inherited=INHERITED))
    configuration = config["clusterConfiguration"]
    assert configuration["apiServer"]["certSANs"] == ["localhost", "127.0.0.1", "10.60.0.5"]
    path = "/etc/kubernetes/encryption/config.yaml"
    assert configuration["apiServer"]["extraArgs"] == [
        {"name": "encryption-provider-config", "value": path},
        {"name": "service-account-issuer", "value": "old"},
    ]
    assert configuration["controllerManager"]["extraArgs"] == [
        {"name": "cloud-provider", "value": "external"},
        {"name": "feature-gates", "value": "A=true"},
    ]
    assert configuration["scheduler"]["extraArgs"] == [{"name": "v", "value": "2"}]
    (file,) = (file for file in config["files"] if file["path"] == path)
    assert file["contentFrom"]["secret"] == {"name": "demo-encryption", "key": "config.yaml"}
    assert "content" not in file


def test_holding_a_cluster_replaces_no_machine() -> None:
    pool = node_pool()
    parts = [
        rolling_part(everything(managed_cluster(inherited=inherited), pool))
        for on_hold in ("Cluster", "ControlPlane", None)
        for inherited in [msgspec.structs.replace(INHERITED, on_hold=on_hold)]
    ]
    assert parts[0] == parts[1] == parts[2]
    assert rolling_part(everything(managed_cluster(inherited=InheritedSpec()), pool)) == (
        rolling_part(everything(managed_cluster(), pool))
    )
