"""What upstream's cluster-autoscaler reads of a MachineDeployment (its provider `clusterapi`).

Names and formats are those of cluster-autoscaler/cloudprovider/clusterapi/README.md. CPU, memory
and disk are not among them: the provider says them in `status.capacity` of the machine template.
"""

from __future__ import annotations

from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.service.names import POOL_LABEL
from vks.service.nodepool.zones import bounds_of

MIN_SIZE = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
MAX_SIZE = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"
LABELS = "capacity.cluster-autoscaler.kubernetes.io/labels"
TAINTS = "capacity.cluster-autoscaler.kubernetes.io/taints"
#: Marks the Machine that goes first when its deployment shrinks.
DELETE_MACHINE = "cluster.x-k8s.io/delete-machine"


def autoscaler_annotations(cluster: ManagedCluster, pool: NodePool, zone: str) -> dict[str, str]:
    """Empty where there is nothing to scale. Labels and taints are those that a node of the zone
    will have, for scaling from zero, when there is no node to look at."""
    bounds = bounds_of(pool.spec).get(zone)
    if bounds is None or not bounds.scalable:
        return {}
    labels = {
        **pool.spec.labels,
        POOL_LABEL: pool.spec.pool_name,
        "topology.kubernetes.io/region": cluster.spec.region,
        "topology.kubernetes.io/zone": zone,
    }
    annotations = {
        MIN_SIZE: str(bounds.min),
        MAX_SIZE: str(bounds.max),
        LABELS: ",".join(f"{name}={value}" for name, value in sorted(labels.items())),
    }
    if pool.spec.taints:
        annotations[TAINTS] = ",".join(
            f"{taint.key}={taint.value}:{taint.effect}" for taint in pool.spec.taints
        )
    return annotations
