"""Legacy clusters, and what the service makes of them for Cluster API, as the API server has it."""

from __future__ import annotations

from typing import Any

import msgspec

from vks.kube.objects import ObjectMeta
from vks.resources.fields import Endpoint, LocalReference
from vks.resources.legacycluster import (
    LegacyCluster,
    LegacyClusterSpec,
    LegacyClusterStatus,
    LegacyControlPlaneSpec,
    LegacyNetworkSpec,
)
from vks.resources.legacynode import LegacyNode, LegacyNodeSpec, LegacyNodeStatus

NAMESPACE = "p-test"
VIP = Endpoint(host="192.0.2.10", port=6443)
LABELS = {"cluster.x-k8s.io/cluster-name": "old", "vks.verda/cluster": "old"}


def legacy_cluster(**spec: Any) -> LegacyCluster:
    base = LegacyClusterSpec(
        region="tokyo",
        identity_ref=LocalReference(name="cloud"),
        version="v1.36.3",
        control_plane=LegacyControlPlaneSpec(
            replicas=3, flavor="small", image="img-1", zones=("tokyo-1",)
        ),
        network=LegacyNetworkSpec(pod_cidr="10.244.0.0/16", service_cidr="10.96.0.0/16"),
    )
    return LegacyCluster(
        metadata=ObjectMeta(name="old", namespace=NAMESPACE, uid="uid-old", generation=1),
        spec=msgspec.structs.replace(base, **spec),
        status=LegacyClusterStatus(initialized=True, endpoint=VIP),
    )


def legacy_node(
    name: str, *, pool: str | None = None, zone: str = "tokyo-1", slot: str | None = None
) -> LegacyNode:
    """A control plane, or a worker of `pool`, whose server runs."""
    return LegacyNode(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE, uid=f"uid-{name}"),
        spec=LegacyNodeSpec(
            cluster_name="old",
            role="worker" if pool else "control-plane",
            pool=pool,
            slot=slot,
            zone=zone,
            flavor="small",
            image="img-1",
        ),
        status=LegacyNodeStatus(
            address=f"10.0.0.{len(name)}",
            server_id=f"server-{name}",
            provider_id=f"verda:///tokyo/{zone}/server-{name}",
        ),
    )


def control_plane(**spec: Any) -> dict[str, Any]:
    """The KubeadmControlPlane."""
    registration = {"name": "{{ds.meta_data.name}}"}
    return {
        "metadata": {"name": "old-cp", "namespace": NAMESPACE},
        "spec": {
            "replicas": 3,
            "version": "v1.36.3",
            "machineTemplate": {"metadata": {"labels": LABELS}},
            "kubeadmConfigSpec": {
                "clusterConfiguration": {"apiServer": {"certSANs": ["localhost"]}},
                "initConfiguration": {"nodeRegistration": registration},
                "joinConfiguration": {"nodeRegistration": registration},
                "files": [{"path": "/a", "content": "b"}],
            },
            **spec,
        },
    }


def deployment(pool: str = "default", zone: str = "tokyo-1", replicas: int = 1) -> dict[str, Any]:
    """The MachineDeployment of a pool's zone."""
    name = f"old-{pool}-{zone}"
    own = {
        "cluster.x-k8s.io/deployment-name": name,
        "cluster.x-k8s.io/cluster-name": "old",
    }
    labels = {**LABELS, "vks.verda/pool": pool}
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "clusterName": "old",
            "replicas": replicas,
            "selector": {"matchLabels": own},
            "template": {
                "metadata": {"labels": {**labels, **own}},
                "spec": {
                    "clusterName": "old",
                    "version": "v1.36.3",
                    "failureDomain": zone,
                    "bootstrap": {"configRef": {"kind": "KubeadmConfigTemplate", "name": "t"}},
                    "infrastructureRef": {"kind": "VerdaMachineTemplate", "name": "t"},
                    "deletion": {"nodeDrainTimeoutSeconds": 600},
                },
            },
        },
    }
