"""Pools whose machines would have one name.

A MachineDeployment is called CLUSTER-POOL-ZONE, and all clusters of a project live in one
namespace: those of pool `b-c` of cluster `a` and of pool `c` of cluster `a-b` would be one object.
The names stay as they are, because another name is another machine; the second pool is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from vks.resources.managedcluster import INITIAL_POOLS_ANNOTATION, ManagedCluster
from vks.resources.nodepool import NodePool, NodePoolSpec
from vks.service.api.problems import FieldProblem, Problem
from vks.service.api.regions import Region
from vks.service.names import machine_deployment_name


class PoolName(NamedTuple):
    cluster: str
    pool: str


async def refuse_clashes(
    region: Region, namespace: str, pools: Iterable[tuple[str, PoolName]]
) -> None:
    """Raises Problem that names the fields; `pools` are new ones by the field of their name."""
    others = await _others(region, namespace)
    zones = region.config.zones
    errors = [
        FieldProblem(
            field=field,
            message=f"its machines would be called like those of pool {other.pool!r} "
            f"of cluster {other.cluster!r}",
        )
        for field, pool in pools
        if (other := clashing(pool, others, zones)) is not None
    ]
    if errors:
        raise Problem("already_exists", "names of machines are taken", errors=errors)


def clashing(pool: PoolName, others: Iterable[PoolName], zones: Sequence[str]) -> PoolName | None:
    """The first of the others whose machines have the same names in any zone."""
    mine = {machine_deployment_name(*pool, zone) for zone in zones}
    for other in sorted(others):
        if other != pool and mine & {machine_deployment_name(*other, zone) for zone in zones}:
            return other
    return None


async def _others(region: Region, namespace: str) -> set[PoolName]:
    """The pools that there are, and those that clusters are yet to get."""
    pools = (await region.client.list(NodePool, namespace)).items
    clusters = (await region.client.list(ManagedCluster, namespace)).items
    initial = [
        spec
        for cluster in clusters
        if (text := cluster.metadata.annotations.get(INITIAL_POOLS_ANNOTATION)) is not None
        for spec in msgspec.json.decode(text, type=list[NodePoolSpec])
    ]
    specs = [*(pool.spec for pool in pools), *initial]
    return {PoolName(spec.cluster_name, spec.pool_name) for spec in specs}
