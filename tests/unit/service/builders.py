"""Objects for the service's tests, complete enough to be valid."""

from __future__ import annotations

from typing import Any

import msgspec

from vks.kube.objects import ObjectMeta
from vks.resources.fields import Taint
from vks.resources.managedcluster import (
    BootstrapSpec,
    ClusterNetworkSpec,
    ControlPlaneSpec,
    KubeProxySpec,
    ManagedCluster,
    ManagedClusterSpec,
)
from vks.resources.nodepool import NodePool, NodePoolSpec, nodepool_name

ZONES = ("tokyo-1", "tokyo-2", "tokyo-3")
NAMESPACE = "p-test"


def managed_cluster(name: str = "demo", **spec: Any) -> ManagedCluster:
    """A cluster of three control planes; `spec` overrides fields of its spec."""
    base = ManagedClusterSpec(
        region="tokyo",
        version="v1.36.3",
        control_plane=ControlPlaneSpec(replicas=3, flavor="small", image="img-1", zones=ZONES),
        network=ClusterNetworkSpec(),
        bootstrap=BootstrapSpec(
            ignore_preflight_errors=("SystemVerification",),
            kube_proxy=KubeProxySpec(mode="nftables", conntrack_max_per_core=0),
        ),
    )
    return ManagedCluster(
        metadata=ObjectMeta(
            name=name, namespace=NAMESPACE, uid=f"uid-{name}", resource_version="1", generation=1
        ),
        spec=msgspec.structs.replace(base, **spec),
    )


def node_pool(name: str = "default", cluster: str = "demo", **spec: Any) -> NodePool:
    """A pool of three workers; `spec` overrides fields of its spec."""
    base = NodePoolSpec(
        cluster_name=cluster,
        pool_name=name,
        replicas=3,
        flavor="small",
        image="img-1",
        zones=ZONES,
        labels={"tier": "web"},
        taints=(Taint(key="a", value="b", effect="NoSchedule"),),
    )
    return NodePool(
        metadata=ObjectMeta(
            name=nodepool_name(cluster, name),
            namespace=NAMESPACE,
            uid=f"uid-{cluster}-{name}",
            resource_version="1",
            generation=1,
        ),
        spec=msgspec.structs.replace(base, **spec),
    )
