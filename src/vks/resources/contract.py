"""Names that Cluster API gives to labels, annotations and groups."""

CLUSTER_NAME_LABEL = "cluster.x-k8s.io/cluster-name"
CONTROL_PLANE_LABEL = "cluster.x-k8s.io/control-plane"
DEPLOYMENT_NAME_LABEL = "cluster.x-k8s.io/deployment-name"
SET_NAME_LABEL = "cluster.x-k8s.io/set-name"
PAUSED_ANNOTATION = "cluster.x-k8s.io/paused"
MANAGED_BY_ANNOTATION = "cluster.x-k8s.io/managed-by"
TOPOLOGY_DRY_RUN_ANNOTATION = "topology.cluster.x-k8s.io/dry-run"
WATCH_FILTER_LABEL = "cluster.x-k8s.io/watch-filter"
PROVIDER_LABEL = "cluster.x-k8s.io/provider"

#: Takes its machine first when a MachineSet is scaled down.
DELETE_MACHINE_ANNOTATION = "cluster.x-k8s.io/delete-machine"
#: Hooks of a Machine's deletion: it goes on when the last annotation of the prefix is removed.
PRE_DRAIN_HOOK_PREFIX = "pre-drain.delete.hook.machine.cluster.x-k8s.io"

CLUSTER_GROUP = "cluster.x-k8s.io"
BOOTSTRAP_GROUP = "bootstrap.cluster.x-k8s.io"
CONTROL_PLANE_GROUP = "controlplane.cluster.x-k8s.io"
INFRASTRUCTURE_GROUP = "infrastructure.cluster.x-k8s.io"
ADDONS_GROUP = "addons.cluster.x-k8s.io"
IPAM_GROUP = "ipam.cluster.x-k8s.io"

READY = "Ready"
PAUSED = "Paused"
#: On Machines, from the provider: the server of a machine that was up is (still) up.
SERVER_HEALTHY = "ServerHealthy"
#: On Machines, from core: what a MachineHealthCheck found.
HEALTH_CHECK_SUCCEEDED = "HealthCheckSucceeded"
#: The same, from whoever has to replace the machine, once that check has failed.
OWNER_REMEDIATED = "OwnerRemediated"

#: The first UID that the owner of something in the cloud had: what an object owns there is found by
#: this value. `clusterctl move` makes new objects with new UIDs and without status, but keeps
#: annotations; and what was taken over had another owner.
OWNER_ANNOTATION = f"{INFRASTRUCTURE_GROUP}/cloud-owner"
