"""Repair: MachineHealthChecks, one for the control plane and one per pool.

Who is unhealthy is replaced by its owner: a MachineSet, or the control plane provider, which
does it one at a time and never at the price of etcd's quorum.
"""

from __future__ import annotations

from collections.abc import Mapping

from vks.resources.clusterapi import MachineHealthCheck
from vks.resources.contract import CONTROL_PLANE_LABEL, SERVER_HEALTHY
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.service.names import POOL_LABEL, control_plane_name
from vks.service.provisioners.capi.manifest import Body, Manifest, metadata, owned

#: More unhealthy machines than this at a time are an outage: replacing them makes it worse.
UNHEALTHY_PART = 0.4
#: A node that is silent is noticed by Kubernetes after 50 s; one that misses a heartbeat because
#: its machine is busy gets as much again.
_NODE_SECONDS = 45
#: A server that is gone, stopped or failed; long enough for a reboot.
_SERVER_SECONDS = 30
#: From the server's start to its Node: the provider reports the console's end at 600 s.
_STARTUP_SECONDS = 900
#: A control plane whose replacements fail one after the other needs people.
CONTROL_PLANE_REMEDIATION = {
    "maxRetry": 3,
    "retryPeriodSeconds": 60,
    "minHealthyPeriodSeconds": 1800,
}

_SILENT: Body = {"type": "Ready", "status": "Unknown", "timeoutSeconds": _NODE_SECONDS}
_NOT_READY: Body = {"type": "Ready", "status": "False", "timeoutSeconds": _NODE_SECONDS}
_SERVER: Body = {"type": SERVER_HEALTHY, "status": "False", "timeoutSeconds": _SERVER_SECONDS}


def control_plane_health(cluster: ManagedCluster) -> Manifest:
    """Looks after the control plane."""
    name = control_plane_name(cluster.metadata.name)
    replicas = cluster.spec.control_plane.replicas
    check = _check(cluster, name, {CONTROL_PLANE_LABEL: ""}, replicas, _STARTUP_SECONDS)
    return Manifest(MachineHealthCheck, owned(check, cluster))


def pool_health(cluster: ManagedCluster, pool: NodePool) -> Manifest:
    """Looks after a pool in all its zones. Nodes join only when their user script's `pre` has
    ended, and are waited for as much longer."""
    script = pool.spec.user_script
    startup = _STARTUP_SECONDS + (script.timeout_seconds if script and script.pre else 0)
    labels = {POOL_LABEL: pool.spec.pool_name}
    check = _check(cluster, pool.metadata.name, labels, pool.size, startup)
    return Manifest(MachineHealthCheck, owned(check, pool))


def unhealthy_limit(replicas: int) -> int:
    """How many may be unhealthy at a time and still be replaced; one always."""
    return max(1, int(replicas * UNHEALTHY_PART))


def _check(
    cluster: ManagedCluster, name: str, machines: Mapping[str, str], replicas: int, startup: int
) -> Body:
    # Another server would be no more ready where it is the user's pod network that is missing.
    own_network = cluster.spec.network.cni != "none"
    spec = {
        "clusterName": cluster.metadata.name,
        "selector": {
            "matchLabels": {"cluster.x-k8s.io/cluster-name": cluster.metadata.name, **machines}
        },
        "checks": {
            "nodeStartupTimeoutSeconds": startup,
            "unhealthyNodeConditions": [_SILENT, _NOT_READY] if own_network else [_SILENT],
            "unhealthyMachineConditions": [_SERVER],
        },
        "remediation": {"triggerIf": {"unhealthyLessThanOrEqualTo": unhealthy_limit(replicas)}},
    }
    return {"metadata": metadata(cluster, name), "spec": spec}
