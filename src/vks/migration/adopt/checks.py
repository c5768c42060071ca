"""Pure: why Cluster API may not see the cluster yet.

It makes machines that it misses and removes those, and etcd's members, that it does not know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from vks.migration.adopt.machines import machine_set
from vks.resources.legacycluster import LegacyEtcdMember
from vks.resources.legacynode import LegacyNode

Body = dict[str, Any]


def objections(
    nodes: Iterable[LegacyNode],
    members: Iterable[LegacyEtcdMember],
    control_plane: Body,
    deployments: Mapping[tuple[str, str], Body],
) -> list[str]:
    """Everything at once; empty: nothing would be made, replaced or removed."""
    known = list(nodes)
    planes = {node.metadata.name for node in known if node.is_control_plane}
    found = []
    strangers = sorted({member.name for member in members} ^ planes)
    if strangers:
        found.append(f"etcd's members and the control planes differ: {', '.join(strangers)}")
    wanted = control_plane["spec"]["replicas"]
    if wanted != len(planes):
        found.append(f"{wanted} control planes are wanted, there are {len(planes)}")
    counts = Counter((node.spec.pool or "", node.spec.zone) for node in known if node.spec.pool)
    for pool, zone in sorted({*counts, *deployments}):
        deployment = deployments.get((pool, zone))
        replicas = deployment["spec"]["replicas"] if deployment is not None else 0
        if replicas != counts[pool, zone]:
            found.append(
                f"pool {pool} wants {replicas} nodes in {zone}, there are {counts[pool, zone]}"
            )
    unknown = sorted(n.metadata.name for n in known if not n.status.server_id)
    if unknown:
        found.append(f"without a server: {', '.join(unknown)}")
    return found


def would_roll(deployment: Body, adopted: Body) -> bool:
    """Whether the MachineDeployment would not take the MachineSet for its current one."""
    fields = ("version", "failureDomain", "bootstrap", "infrastructureRef")
    own = adopted["spec"]["template"]["spec"]
    wanted = machine_set(deployment)["spec"]["template"]["spec"]
    return any(own.get(field) != wanted.get(field) for field in fields)
