"""The next step of an upgrade: a pure function from what exists."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from vks.kube.objects import find_condition
from vks.resources.contract import READY
from vks.resources.managedcluster import ManagedCluster, UpgradeSpec
from vks.resources.nodepool import UPGRADED_FROM_ANNOTATION, NodePool
from vks.service.managedcluster.observe import Observed
from vks.service.names import POOL_LABEL
from vks.service.versions import parse


@dataclass(frozen=True)
class MovePool:
    """Let the pool be of another version."""

    pool: NodePool
    version: str
    image: str


@dataclass(frozen=True)
class RestoreControlPlane:
    """Take the request back: no machine has been replaced yet."""

    cluster: ManagedCluster
    version: str
    image: str


class Origin(msgspec.Struct, frozen=True):
    """What a pool was before the upgrade moved it."""

    version: str
    image: str


Action = MovePool | RestoreControlPlane


def decide(seen: Observed) -> Action | None:
    """None: nothing to do until something changes."""
    cluster = seen.cluster
    if cluster is None or cluster.deleting or cluster.spec.upgrade is None:
        return None
    match cluster.spec.upgrade.state:
        case "Running":
            return _go_on(seen, cluster.spec.upgrade)
        case "Aborted":
            return _go_back(seen, cluster, cluster.spec.upgrade)
        case "Paused":
            return None


def _go_on(seen: Observed, upgrade: UpgradeSpec) -> Action | None:
    if not seen.control_plane_settled:
        return None
    for pool in seen.pools:
        if pool.deleting:
            continue
        if is_behind(pool, upgrade):
            return MovePool(pool, upgrade.version, upgrade.image)
        if not settled(pool, seen):
            return None  # one after the other
    return None


def _go_back(seen: Observed, cluster: ManagedCluster, upgrade: UpgradeSpec) -> Action | None:
    begun = seen.control_plane_settled or any(
        machine.is_control_plane and machine.spec.version == upgrade.version
        for machine in seen.machines
    )
    asked = cluster.spec.version == upgrade.version != upgrade.from_version
    if asked and not begun:
        return RestoreControlPlane(cluster, upgrade.from_version, upgrade.from_image)
    for pool in seen.pools:
        origin = origin_of(pool)
        if pool.spec.version == upgrade.version and origin and not settled(pool, seen):
            return MovePool(pool, origin.version, origin.image)
    return None


def is_behind(pool: NodePool, upgrade: UpgradeSpec) -> bool:
    """Whether the upgrade has yet to reach the pool. One whose version nobody wrote down yet is
    not touched: its machines would be replaced together with the control plane."""
    return pool.spec.version is not None and parse(pool.spec.version) < parse(upgrade.version)


def settled(pool: NodePool, seen: Observed) -> bool:
    """Whether all nodes of the pool are as they should be. Its own counters alone do not tell:
    until Cluster API has looked at a new version, they say what was true before."""
    if any(
        machine.spec.version != pool.spec.version
        for machine in seen.machines
        if machine.metadata.labels.get(POOL_LABEL) == pool.spec.pool_name
    ):
        return False
    ready = find_condition(pool.status.conditions, READY)
    return (
        pool.status.observed_generation >= pool.metadata.generation
        and ready is not None
        and ready.status == "True"
        and ready.observed_generation >= pool.metadata.generation
    )


def origin_of(pool: NodePool) -> Origin | None:
    """What the pool was before its last upgrade."""
    text = pool.metadata.annotations.get(UPGRADED_FROM_ANNOTATION)
    return None if text is None else msgspec.json.decode(text, type=Origin)


def pauses_control_plane(seen: Observed) -> bool:
    """Whether the control plane provider is to stand still: the upgrade is paused, and no machine
    is on its way out, which would hang half-way (but not under the legacy provisioner)."""
    cluster = seen.cluster
    if cluster is None or cluster.spec.upgrade is None or seen.control_plane_settled:
        return False
    leaving = any(machine.is_control_plane and machine.deleting for machine in seen.machines)
    hangs = leaving and seen.legacy is None
    return cluster.spec.upgrade.state == "Paused" and not hangs


def pauses_pool(cluster: ManagedCluster, pool: NodePool) -> bool:
    """Whether the pool's roll-out is to stand still because its upgrade is paused."""
    upgrade = cluster.spec.upgrade
    return (
        upgrade is not None
        and upgrade.state == "Paused"
        and pool.spec.version == upgrade.version
        and origin_of(pool) is not None
    )
