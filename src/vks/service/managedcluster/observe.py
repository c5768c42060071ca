"""Everything that exists of one cluster, as the caches show it."""

from __future__ import annotations

from dataclasses import dataclass

from vks.kube.objects import Key
from vks.resources.clusterapi import Cluster, KubeadmControlPlane, Machine, MachineDeployment
from vks.resources.fields import Endpoint
from vks.resources.legacycluster import LegacyCluster
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import NO_POD_NETWORK, VerdaMachine
from vks.service.caches import Caches, of_cluster
from vks.service.names import control_plane_name
from vks.service.provisioners.legacy import view


@dataclass(frozen=True)
class Observed:
    """A snapshot; `cluster` is None once the ManagedCluster is gone."""

    cluster: ManagedCluster | None
    capi: Cluster | None = None
    infrastructure: VerdaCluster | None = None
    control_plane: KubeadmControlPlane | None = None
    pools: tuple[NodePool, ...] = ()
    deployments: tuple[MachineDeployment, ...] = ()
    machines: tuple[Machine, ...] = ()
    verda_machines: tuple[VerdaMachine, ...] = ()
    #: What the other provisioner has made; then the objects above only show it.
    legacy: LegacyCluster | None = None
    #: What the other provisioner had made before the cluster was taken over.
    former: LegacyCluster | None = None

    @property
    def root(self) -> Cluster | LegacyCluster | None:
        """The object that the provisioner works from, and that takes everything else with it."""
        return self.capi if self.legacy is None else self.legacy

    @property
    def endpoint(self) -> Endpoint | None:
        """Where the API server is reached, once the infrastructure says so."""
        if self.capi is not None and self.capi.spec.control_plane_endpoint.valid:
            return self.capi.spec.control_plane_endpoint
        found = self.infrastructure and self.infrastructure.spec.control_plane_endpoint
        return found if found and found.valid else None

    @property
    def control_plane_initialized(self) -> bool:
        return (
            self.control_plane is not None
            and self.control_plane.status.initialization.control_plane_initialized
        )

    @property
    def unconnected(self) -> frozenset[str]:
        """Machines whose nodes lack nothing but a pod network. None unless it is the user's to
        bring; nor once a node has it, for then the others are about to get it."""
        if self.cluster is None or self.cluster.spec.network.cni != "none":
            return frozenset()
        healths = {m.metadata.name: m.node_health for m in self.verda_machines}
        if any(health and health.status == "True" for health in healths.values()):
            return frozenset()
        return frozenset(
            name for name, health in healths.items() if health and health.reason == NO_POD_NETWORK
        )

    @property
    def control_plane_settled(self) -> bool:
        """Whether the control plane is what was asked for, all of it ready."""
        return self._control_plane_settled(0)

    @property
    def control_plane_unconnected(self) -> bool:
        """The same of a control plane that waits for a pod network."""
        planes = {m.metadata.name for m in self.machines if m.is_control_plane}
        lacking = len(planes & self.unconnected)
        return lacking > 0 and self._control_plane_settled(lacking)

    def _control_plane_settled(self, lacking: int) -> bool:
        plane = self.control_plane
        if plane is None or self.cluster is None:
            return False
        wanted = self.cluster.spec.control_plane.replicas
        status = plane.status
        return (
            status.observed_generation >= plane.metadata.generation
            and plane.spec.replicas == wanted
            and status.replicas == status.up_to_date_replicas == wanted
            and status.ready_replicas + lacking == wanted
            and plane.spec.version == self.cluster.spec.version
        )

    def remaining(self) -> dict[str, int]:
        """How many objects are left, by kind, in the order in which they go."""
        counts = {
            "MachineDeployment": len(self.deployments),
            "VerdaMachine": len(self.verda_machines),
            "Machine": len(self.machines),
            "KubeadmControlPlane": int(self.control_plane is not None),
            "VerdaCluster": int(self.infrastructure is not None),
            "Cluster": int(self.capi is not None),
            "NodePool": len(self.pools),
            "LegacyCluster": int(self.former is not None),
        }
        return {kind: count for kind, count in counts.items() if count}


def observe(caches: Caches, key: Key) -> Observed:
    cluster = caches.managed_clusters.get(key)
    legacy = caches.legacy_clusters.get(key)
    if legacy is not None and (cluster is None or cluster.spec.provisioner == "legacy"):
        return _observe_legacy(caches, key, legacy)
    return Observed(
        cluster=cluster,
        former=legacy,
        capi=caches.clusters.get(key),
        infrastructure=caches.verda_clusters.get(key),
        control_plane=caches.control_planes.get(Key(key.namespace, control_plane_name(key.name))),
        pools=tuple(of_cluster(caches.node_pools, key)),
        deployments=tuple(of_cluster(caches.deployments, key)),
        machines=tuple(of_cluster(caches.machines, key)),
        verda_machines=tuple(of_cluster(caches.verda_machines, key)),
    )


def _observe_legacy(caches: Caches, key: Key, legacy: LegacyCluster) -> Observed:
    nodes = of_cluster(caches.legacy_nodes, key)
    return Observed(
        cluster=caches.managed_clusters.get(key),
        infrastructure=view.infrastructure_of(legacy),
        control_plane=view.control_plane_of(legacy),
        pools=tuple(of_cluster(caches.node_pools, key)),
        deployments=tuple(view.deployments_of(legacy, nodes)),
        machines=tuple(map(view.machine_of, nodes)),
        verda_machines=tuple(map(view.server_of, nodes)),
        legacy=legacy,
    )
