"""What must not be changed of a cluster while its operators move it to Cluster API.

Refused is whatever makes, replaces or removes machines: nodes are taken over as they are counted,
and each of them belongs to one provisioner. Pods may move, and everything may be read. Users know
of no migration; to them it is maintenance.
"""

from __future__ import annotations

from vks.kube.errors import NotFound
from vks.resources.clustermigration import ClusterMigration
from vks.resources.managedcluster import CLUSTER_LABEL, ManagedCluster
from vks.resources.operation import Operation, holders
from vks.service.api.context import Scope
from vks.service.api.problems import Problem
from vks.service.api.regions import Region

#: The phase from which on two provisioners know the cluster's servers.
_ADOPT = "Adopt"


async def refuse_maintained(scope: Scope, region: Region, cluster: ManagedCluster) -> None:
    """Raises Problem from a migration's start to its end, either end."""
    migration = await _migration_of(region, cluster)
    if migration is not None and migration.under_way:
        raise _problem(scope, migration)


async def refuse_handed_over(scope: Scope, region: Region, cluster: ManagedCluster) -> None:
    """The same for the cluster's deletion: as long as one provisioner has all of it, that one
    deletes all of it. Raises Problem."""
    migration = await _migration_of(region, cluster)
    if migration is not None and migration.under_way and migration.has_begun(_ADOPT):
        raise _problem(scope, migration)


async def refuse_unfinished(region: Region, cluster: str, namespace: str) -> None:
    """The other way round: nothing is migrated that is being changed. Raises Problem."""
    selector = f"{CLUSTER_LABEL}={cluster}"
    found = await region.client.list(Operation, namespace, label_selector=selector)
    running = holders(found.items)
    if running:
        raise Problem("conflict", f"under way: {', '.join(running)}; plan again afterwards")


async def _migration_of(region: Region, cluster: ManagedCluster) -> ClusterMigration | None:
    """Of this cluster, not of an earlier one of the same name."""
    meta = cluster.metadata
    try:
        found = await region.client.get(ClusterMigration, meta.name, meta.namespace)
    except NotFound:
        return None
    owners = {reference.uid for reference in found.metadata.owner_references}
    return found if meta.uid in owners else None


def _problem(scope: Scope, migration: ClusterMigration) -> Problem:
    phase = migration.status.phase
    if scope.is_operator:
        detail = f"the cluster is being migrated ({phase}): finalize that or roll it back first"
    else:
        detail = f"the cluster is under maintenance ({phase}): try again when that has ended"
    return Problem("under_maintenance", detail)
