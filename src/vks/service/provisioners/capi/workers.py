"""A node pool: one MachineDeployment per zone, on templates that the zones share."""

from __future__ import annotations

from collections.abc import Mapping

from vks.resources.clusterapi import KubeadmConfigTemplate, MachineDeployment
from vks.resources.contract import DEPLOYMENT_NAME_LABEL
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.verdamachine import VerdaMachineTemplate
from vks.service.names import POOL_LABEL, machine_deployment_name
from vks.service.provisioners.capi.bootstrap import worker_config
from vks.service.provisioners.capi.cluster import DELETION, verda_machine_spec
from vks.service.provisioners.capi.manifest import Manifest, metadata, owned, reference, template

#: Workers wait for the control plane through their bootstrap data, by watches. The check that
#: is left out asks the same question every 15 s before it makes the machines at all.
_SKIP_PREFLIGHT = {"machineset.cluster.x-k8s.io/skip-preflight-checks": "ControlPlaneIsStable"}


def pool_manifests(
    cluster: ManagedCluster, pool: NodePool, replicas: Mapping[str, int]
) -> list[Manifest]:
    """Templates first, then the MachineDeployments; `replicas` is how many per zone."""
    labels = {POOL_LABEL: pool.spec.pool_name}
    prefix = f"{cluster.metadata.name}-{pool.spec.pool_name}"
    machines = template(
        VerdaMachineTemplate,
        cluster,
        prefix,
        verda_machine_spec(cluster, pool.spec.flavor, pool.spec.image),
        labels,
    )
    configs = template(KubeadmConfigTemplate, cluster, prefix, worker_config(cluster), labels)
    deployments = [
        _machine_deployment(cluster, pool, zone, count, machines, configs)
        for zone, count in replicas.items()
    ]
    return [machines, configs, *deployments]


def _machine_deployment(
    cluster: ManagedCluster,
    pool: NodePool,
    zone: str,
    replicas: int,
    machines: Manifest,
    configs: Manifest,
) -> Manifest:
    name = machine_deployment_name(cluster.metadata.name, pool.spec.pool_name, zone)
    meta = metadata(cluster, name, {POOL_LABEL: pool.spec.pool_name})
    own_machines = {
        DEPLOYMENT_NAME_LABEL: name,
        "cluster.x-k8s.io/cluster-name": cluster.metadata.name,
    }
    spec = {
        "clusterName": cluster.metadata.name,
        "replicas": replicas,
        "selector": {"matchLabels": own_machines},
        "rollout": {
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            }
        },
        "template": {
            "metadata": {"labels": {**meta["labels"], **own_machines}},
            "spec": {
                "clusterName": cluster.metadata.name,
                "version": cluster.spec.version,
                "failureDomain": zone,
                "bootstrap": {"configRef": reference(configs)},
                "infrastructureRef": reference(machines),
                "deletion": DELETION,
            },
        },
    }
    body = {"metadata": {**meta, "annotations": _SKIP_PREFLIGHT}, "spec": spec}
    return Manifest(MachineDeployment, owned(body, pool))
