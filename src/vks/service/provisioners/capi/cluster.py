"""The cluster itself: Cluster, VerdaCluster, KubeadmControlPlane and its machine template."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vks.resources.clusterapi import Cluster, KubeadmControlPlane
from vks.resources.contract import PAUSED_ANNOTATION
from vks.resources.managedcluster import ManagedCluster
from vks.resources.project import CLOUD_SECRET
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachineTemplate
from vks.service.names import control_plane_name
from vks.service.provisioners.capi.bootstrap import control_plane_config
from vks.service.provisioners.capi.health import CONTROL_PLANE_REMEDIATION, control_plane_health
from vks.service.provisioners.capi.manifest import (
    Body,
    Manifest,
    labels_of,
    metadata,
    owned,
    reference,
    template,
)

#: Seconds that draining and detaching may take before a machine goes anyway: a budget that
#: allows no eviction must not hold a machine for ever.
DELETION = {
    "nodeDrainTimeoutSeconds": 600,
    "nodeVolumeDetachTimeoutSeconds": 300,
    "nodeDeletionTimeoutSeconds": 30,
}


def cluster_manifests(
    cluster: ManagedCluster, zones: Iterable[str], *, pause_control_plane: bool = False
) -> list[Manifest]:
    """In the order in which they are to be applied; `zones` are the region's.

    The Cluster comes last: core looks again only after 30 s for what a Cluster refers to and
    does not find. VerdaCluster and KubeadmControlPlane are owned by the Cluster, which core
    says itself; deletion goes through the Cluster, in its order.
    """
    machines = template(
        VerdaMachineTemplate,
        cluster,
        control_plane_name(cluster.metadata.name),
        verda_machine_spec(
            cluster.spec.control_plane.flavor,
            cluster.spec.control_plane.image,
        ),
    )
    infrastructure = _verda_cluster(cluster, zones)
    held = cluster.spec.inherited is not None and cluster.spec.inherited.on_hold is not None
    control_plane = _control_plane(cluster, machines, paused=pause_control_plane or held)
    return [
        machines,
        infrastructure,
        control_plane,
        control_plane_health(cluster),
        _cluster(cluster, infrastructure, control_plane),
    ]


def verda_machine_spec(flavor: str, image: str) -> Body:
    """What is the same for all servers of one role or pool."""
    return {"flavor": flavor, "image": image}


def _verda_cluster(cluster: ManagedCluster, zones: Iterable[str]) -> Manifest:
    chosen = cluster.spec.control_plane.zones
    spec: dict[str, Any] = {
        "region": cluster.spec.region,
        "identityRef": {"name": CLOUD_SECRET},
        "failureDomains": {
            zone: {"controlPlane": zone in chosen} for zone in sorted({*zones, *chosen})
        },
    }
    if cluster.spec.network.network_id is not None:
        spec["network"] = {"networkID": cluster.spec.network.network_id}
    if cluster.spec.network.cni == "none":
        spec["podRoutes"] = "Unmanaged"
    return Manifest(
        VerdaCluster, {"metadata": metadata(cluster, cluster.metadata.name), "spec": spec}
    )


def _control_plane(cluster: ManagedCluster, machines: Manifest, *, paused: bool) -> Manifest:
    spec: dict[str, Any] = {
        "replicas": cluster.spec.control_plane.replicas,
        "version": cluster.spec.version,
        "machineTemplate": {
            "metadata": {"labels": labels_of(cluster)},
            "spec": {"infrastructureRef": reference(machines), "deletion": DELETION},
        },
        "kubeadmConfigSpec": control_plane_config(cluster),
        "remediation": CONTROL_PLANE_REMEDIATION,
        "rollout": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
    }
    meta = metadata(cluster, control_plane_name(cluster.metadata.name))
    if paused:
        meta["annotations"] = {PAUSED_ANNOTATION: ""}
    return Manifest(KubeadmControlPlane, {"metadata": meta, "spec": spec})


def _cluster(
    cluster: ManagedCluster, infrastructure: Manifest, control_plane: Manifest
) -> Manifest:
    network = cluster.spec.network
    spec: dict[str, Any] = {
        "clusterNetwork": {
            "pods": {"cidrBlocks": [network.pod_cidr]},
            "services": {"cidrBlocks": [network.service_cidr]},
        },
        "infrastructureRef": reference(infrastructure),
        "controlPlaneRef": reference(control_plane),
    }
    inherited = cluster.spec.inherited
    if inherited is not None and inherited.on_hold == "Cluster":
        spec["paused"] = True
    body = {"metadata": metadata(cluster, cluster.metadata.name), "spec": spec}
    return Manifest(Cluster, owned(body, cluster))
