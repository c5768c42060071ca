"""What is looked at before an upgrade: pure functions from facts to findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vks.kube.objects import find_condition
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.service.api.models import UpgradeCheck
from vks.service.api.offer import Offer
from vks.service.api.validation import quota_shortfalls
from vks.service.api.workload import Budget, DeprecatedApi
from vks.service.managedcluster.status import CONTROL_PLANE_READY
from vks.service.nodepool.status import reserving_of
from vks.service.provisioners.legacy.addresses import PortPool
from vks.service.versions import MAX_KUBELET_SKEW, parse, why_not

#: The check that no `force` overrides: Kubernetes itself would not work.
VERSION_SKEW = "VersionSkew"


@dataclass(frozen=True)
class Facts:
    """`port_pools` are those of pools with static addresses. `budgets` and `deprecated` are None
    when the cluster's API does not answer."""

    cluster: ManagedCluster
    pools: Sequence[NodePool]
    offer: Offer
    port_pools: Sequence[PortPool]
    budgets: Sequence[Budget] | None
    deprecated: Iterable[DeprecatedApi] | None


def checks(facts: Facts, version: str) -> list[UpgradeCheck]:
    """One finding per thing that is looked at, in the order in which people read them."""
    return [
        _skew(facts, version),
        _control_plane(facts.cluster),
        _budgets(facts.budgets),
        _deprecated(facts.deprecated, version),
        _quota(facts),
        _slots(facts),
    ]


def candidates(
    cluster: ManagedCluster, pools: Iterable[NodePool], offered: Iterable[str]
) -> list[str]:
    """The versions that the control plane, or a pool that was left behind, can go to."""
    return sorted((v for v in offered if not why_not_from(cluster, pools, v)), key=parse)


def why_not_from(cluster: ManagedCluster, pools: Iterable[NodePool], version: str) -> str:
    """Why the cluster cannot go to `version` in one step; empty: it can."""
    behind = any(p.spec.version and parse(p.spec.version) < parse(version) for p in pools)
    if version == cluster.spec.version and behind:
        return ""
    return why_not(cluster.spec.version, version)


def _check(name: str, blocked: str, passed: str, objects: Iterable[str] = ()) -> UpgradeCheck:
    return UpgradeCheck(
        name=name,
        status="Blocked" if blocked else "Passed",
        message=blocked or passed,
        objects=list(objects),
    )


def _unknown(name: str) -> UpgradeCheck:
    return UpgradeCheck(name=name, status="Unknown", message="the cluster's API does not answer")


def _skew(facts: Facts, version: str) -> UpgradeCheck:
    reason = why_not_from(facts.cluster, facts.pools, version)
    late = [
        pool.spec.pool_name
        for pool in facts.pools
        if pool.spec.version
        and parse(version).minor - parse(pool.spec.version).minor > MAX_KUBELET_SKEW
    ]
    if not reason and late:
        reason = f"more than {MAX_KUBELET_SKEW} minor versions older than {version}"
    return _check(VERSION_SKEW, reason, "every part stays within the skew policy", late)


def _control_plane(cluster: ManagedCluster) -> UpgradeCheck:
    ready = find_condition(cluster.status.conditions, CONTROL_PLANE_READY)
    well = ready is not None and ready.status == "True"
    says = ready.message if ready is not None else "it has not been looked at yet"
    return _check("ControlPlane", "" if well else f"not ready: {says}", says)


def _budgets(budgets: Sequence[Budget] | None) -> UpgradeCheck:
    name = "PodDisruptionBudgets"
    if budgets is None:
        return _unknown(name)
    said = "; ".join(f"{budget.name}: {budget.why}" for budget in budgets)
    blocked = f"no pod may be evicted: {said}" if said else ""
    return _check(name, blocked, "every budget allows an eviction", [b.name for b in budgets])


def _deprecated(found: Iterable[DeprecatedApi] | None, version: str) -> UpgradeCheck:
    name = "DeprecatedAPIs"
    if found is None:
        return _unknown(name)
    target = parse(version)
    removed = sorted(
        api.name for api in found if api.removed_in and parse(f"v{api.removed_in}.0") <= target
    )
    blocked = f"in use and removed by {version}: {', '.join(removed)}" if removed else ""
    return _check(name, blocked, "nobody uses an API that goes away", removed)


def _quota(facts: Facts) -> UpgradeCheck:
    """New before old: one more control plane, then what one pool after the other may surge."""
    spec = facts.cluster.spec.control_plane
    surges = [(spec.flavor, 1), *((p.spec.flavor, _surge(p)) for p in facts.pools)]
    short = {text for surge in surges for text in quota_shortfalls([surge], facts.offer)}
    return _check("SurgeQuota", "; ".join(sorted(short)), "there is room for the new servers")


def _surge(pool: NodePool) -> int:
    static = pool.spec.static_ip
    spare = pool.size if static is None else max(0, len(static.slots) - pool.size)
    return min(pool.size, pool.spec.max_surge, spare)


def _slots(facts: Facts) -> UpgradeCheck:
    """Whether every node of a pool with static addresses finds one again."""
    static = [pool for pool in facts.pools if pool.spec.static_ip is not None]
    short = {pool.spec.pool_name: why for pool in static if (why := _slots_missing(facts, pool))}
    blocked = "; ".join(f"pool {name}: {why}" for name, why in sorted(short.items()))
    tight = sorted(pool.spec.pool_name for pool in static if not _surge(pool))
    passed = "every node finds an address again" if static else "no pool has static addresses"
    if tight:
        passed += f"; nodes go before the new ones come in {', '.join(tight)}"
    return _check("IPSlots", blocked, passed, sorted(short))


def _slots_missing(facts: Facts, pool: NodePool) -> str:
    name = pool.metadata.name
    reserved = next((p for p in facts.port_pools if p.pool.metadata.name == name), None)
    if reserving := reserving_of(pool, reserved.pool if reserved else None):
        return reserving
    claims = [port.spec.claim for port in reserved.ports.values()] if reserved else []
    open_ = sum(claim is None or claim.kind == "VerdaMachine" for claim in claims)
    return f"{pool.size} nodes and {open_} slots for them" if open_ < pool.size else ""
