"""A cluster that changes its provisioner: what the service makes of it then, and takes back."""

from __future__ import annotations

from tests.apiserver.service.conftest import Vks
from tests.apiserver.service.test_legacy import made
from tests.support.service import until

from vks.resources.clusterapi import Cluster, KubeadmControlPlane, MachineDeployment
from vks.resources.legacycluster import LegacyCluster
from vks.resources.managedcluster import ManagedCluster

INHERITED: dict[str, object] = {
    "apiServerArgs": {"service-account-issuer": "vks-legacy"},
    "serverNames": ["10.60.0.5"],
    "encryptionSecret": "old-encryption",
    "onHold": "Cluster",
}
#: Anew, the odd one would go to the first zone.
SPREAD = {"tokyo-1": 1, "tokyo-2": 2, "tokyo-3": 1}


async def taken_over(vks: Vks) -> dict[str, MachineDeployment]:
    """The cluster's MachineDeployments by zone."""
    wanted = {"name": "default", "replicas": 4, "flavor": "small"}
    found = await made(vks, nodePools=[wanted])
    (pool,) = found.spec.node_pools
    zones = [{"name": zone, "replicas": count} for zone, count in SPREAD.items()]
    shape = {"name": pool.name, "flavor": pool.flavor, "image": pool.image, "zones": zones}
    patch = {"spec": {"nodePools": [shape]}}
    await vks.client.merge_patch(LegacyCluster, "old", vks.namespace, patch)
    await say(vks, "capi", INHERITED)

    async def complete() -> dict[str, MachineDeployment] | None:
        deployments = (await vks.client.list(MachineDeployment, vks.namespace)).items
        zones = {d.spec.template.spec.failure_domain: d for d in deployments}
        return zones if len(zones) == len(SPREAD) else None

    made_of_it = await until(complete)
    assert made_of_it is not None
    return made_of_it


async def say(vks: Vks, provisioner: str, inherited: dict[str, object] | None) -> None:
    patch = {"spec": {"provisioner": provisioner, "inherited": inherited}}
    await vks.client.merge_patch(ManagedCluster, "old", vks.namespace, patch)


async def test_it_is_on_hold_with_its_nodes_where_they_are(vks: Vks) -> None:
    deployments = await taken_over(vks)
    assert {zone: d.spec.replicas for zone, d in deployments.items()} == SPREAD
    root = await vks.client.get(Cluster, "old", vks.namespace)
    assert root.spec.paused
    name = root.spec.control_plane_ref.name
    plane = await vks.client.get(KubeadmControlPlane.resource, name, vks.namespace)
    assert "cluster.x-k8s.io/paused" in plane["metadata"]["annotations"]
    configuration = plane["spec"]["kubeadmConfigSpec"]["clusterConfiguration"]
    arguments = {a["name"]: a["value"] for a in configuration["apiServer"]["extraArgs"]}
    assert arguments["service-account-issuer"] == "vks-legacy"
    assert "10.60.0.5" in configuration["apiServer"]["certSANs"]


async def test_what_is_on_hold_is_let_loose_step_by_step(vks: Vks) -> None:
    await taken_over(vks)
    for on_hold, paused, annotated in (("ControlPlane", False, True), (None, False, False)):
        await say(vks, "capi", {**INHERITED, "onHold": on_hold})

        async def so(paused: bool = paused, annotated: bool = annotated) -> bool:
            root = await vks.client.get(Cluster, "old", vks.namespace)
            name = root.spec.control_plane_ref.name
            plane = await vks.client.get(KubeadmControlPlane, name, vks.namespace)
            noted = "cluster.x-k8s.io/paused" in plane.metadata.annotations
            return (root.spec.paused, noted) == (paused, annotated)

        await until(so)


async def test_a_cluster_that_is_deleted_meanwhile_leaves_nothing_of_either(vks: Vks) -> None:
    await taken_over(vks)
    assert (await vks.call("DELETE", "/clusters/old")).status_code == 202

    async def gone() -> bool:
        return bool((await vks.call("GET", "/clusters/old")).status_code == 404)

    await until(gone)
    for model in (LegacyCluster, Cluster, KubeadmControlPlane, MachineDeployment):
        assert (await vks.client.list(model, vks.namespace)).items == []
