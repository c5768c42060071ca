"""A node pool: one MachineDeployment per zone, on templates that the zones share."""

from __future__ import annotations

from collections.abc import Mapping

from vks.resources.clusterapi import KubeadmConfigTemplate, MachineDeployment
from vks.resources.contract import DEPLOYMENT_NAME_LABEL
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool, StaticIPSpec
from vks.resources.verdamachine import DEFAULT_NODE_STARTUP_TIMEOUT, VerdaMachineTemplate
from vks.resources.verdaport import VerdaPortPool
from vks.service.applying import plain
from vks.service.names import POOL_LABEL, machine_deployment_name
from vks.service.provisioners.capi.autoscaling import autoscaler_annotations
from vks.service.provisioners.capi.bootstrap import worker_config, worker_meaning
from vks.service.provisioners.capi.cluster import DELETION, verda_machine_spec
from vks.service.provisioners.capi.health import pool_health
from vks.service.provisioners.capi.manifest import (
    Body,
    Manifest,
    metadata,
    owned,
    reference,
    template,
)
from vks.service.provisioners.capi.rolling import Rolling, rolling

#: Two checks are left out. Workers wait for the control plane through their bootstrap data, by
#: watches; "ControlPlaneIsStable" asks the same question every 15 s before it makes the machines at
#: all. "KubeadmVersionSkew" refuses new nodes to a pool that is a minor version behind, where
#: kubelet's own policy allows three: such a pool, whose upgrade has yet to come or was aborted,
#: could neither be repaired nor scaled. Pools join with the kubeadm of their image, and the story
#: of an aborted upgrade shows that it can.
_SKIP_PREFLIGHT = {
    "machineset.cluster.x-k8s.io/skip-preflight-checks": "ControlPlaneIsStable,KubeadmVersionSkew"
}


def pool_manifests(
    cluster: ManagedCluster,
    pool: NodePool,
    replicas: Mapping[str, int | None],
    *,
    paused: bool = False,
) -> list[Manifest]:
    """Templates first, then the MachineDeployments; `replicas` is how many per zone, None where
    the autoscaler says it. `paused`: no further machine is replaced.

    A pool with static addresses has a port pool of its own name.
    """
    machines, configs = pool_templates(cluster, pool)
    rollings = rolling(pool.spec, replicas)
    deployments = [
        _machine_deployment(
            cluster, pool, zone, count, machines, configs, rollings[zone], paused=paused
        )
        for zone, count in replicas.items()
    ]
    static = pool.spec.static_ip
    ports = [] if static is None else [_port_pool(cluster, pool, static)]
    return [*ports, machines, configs, pool_health(cluster, pool), *deployments]


def _port_pool(cluster: ManagedCluster, pool: NodePool, static: StaticIPSpec) -> Manifest:
    meta = metadata(cluster, pool.metadata.name, {POOL_LABEL: pool.spec.pool_name})
    spec = {"clusterName": cluster.metadata.name, **plain(static)}
    return Manifest(VerdaPortPool, owned({"metadata": meta, "spec": spec}, pool))


def pool_templates(cluster: ManagedCluster, pool: NodePool) -> tuple[Manifest, Manifest]:
    """What the pool's machines are stamped from: the server's, and how it is bootstrapped.

    Another name of either replaces every machine.
    """
    labels = {POOL_LABEL: pool.spec.pool_name}
    prefix = f"{cluster.metadata.name}-{pool.spec.pool_name}"
    machines = template(VerdaMachineTemplate, cluster, prefix, _server_spec(cluster, pool), labels)
    configs = template(
        KubeadmConfigTemplate,
        cluster,
        prefix,
        worker_config(cluster, pool),
        labels,
        meaning=worker_meaning(cluster, pool),
    )
    return machines, configs


def _server_spec(cluster: ManagedCluster, pool: NodePool) -> Body:
    spec = verda_machine_spec(pool.spec.flavor, pool.spec.image)
    if pool.spec.root_volume is not None:
        spec["rootVolume"] = plain(pool.spec.root_volume)
    if pool.spec.static_ip is not None:
        spec["portPoolRef"] = {"name": pool.metadata.name}
    script = pool.spec.user_script
    if script is not None and script.pre:
        # The node joins only when `pre` has ended.
        spec["nodeStartupTimeoutSeconds"] = DEFAULT_NODE_STARTUP_TIMEOUT + script.timeout_seconds
    if script is not None and script.on_failure == "FailNode":
        spec["requireUserScript"] = True
    return spec


def _machine_deployment(
    cluster: ManagedCluster,
    pool: NodePool,
    zone: str,
    replicas: int | None,
    machines: Manifest,
    configs: Manifest,
    rolling: Rolling,
    *,
    paused: bool,
) -> Manifest:
    name = machine_deployment_name(cluster.metadata.name, pool.spec.pool_name, zone)
    meta = metadata(cluster, name, {POOL_LABEL: pool.spec.pool_name})
    own_machines = {
        DEPLOYMENT_NAME_LABEL: name,
        "cluster.x-k8s.io/cluster-name": cluster.metadata.name,
    }
    spec: Body = {
        "clusterName": cluster.metadata.name,
        "selector": {"matchLabels": own_machines},
        "rollout": {
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {
                    "maxSurge": rolling.surge,
                    "maxUnavailable": rolling.unavailable,
                },
            }
        },
        "template": {
            "metadata": {"labels": {**meta["labels"], **own_machines}},
            "spec": {
                "clusterName": cluster.metadata.name,
                "version": pool.spec.version or cluster.spec.version,
                "failureDomain": zone,
                "bootstrap": {"configRef": reference(configs)},
                "infrastructureRef": reference(machines),
                "deletion": {
                    **DELETION,
                    "nodeDrainTimeoutSeconds": pool.spec.drain_timeout_seconds,
                },
            },
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    if paused:
        spec["paused"] = True
    annotations = {**_SKIP_PREFLIGHT, **autoscaler_annotations(cluster, pool, zone)}
    body = {"metadata": {**meta, "annotations": annotations}, "spec": spec}
    return Manifest(MachineDeployment, owned(body, pool))
