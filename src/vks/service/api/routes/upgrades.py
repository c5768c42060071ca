"""Upgrades: what is allowed, start, pause, resume, abort."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter
from starlette.responses import Response

from vks.kube.errors import ApiError, NotFound
from vks.resources.managedcluster import ManagedCluster, UpgradeSpec
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation
from vks.service.api import models
from vks.service.api.changing import ChangingIn, accepted, refuse_deleting
from vks.service.api.context import IfMatch, Name, Scope, ScopeIn, check_match
from vks.service.api.infrastructure import find_port_pools
from vks.service.api.maintenance import refuse_maintained
from vks.service.api.offer import read_offer
from vks.service.api.problems import FieldProblem, Problem, invalid
from vks.service.api.regions import Region, find_cluster, patch_spec
from vks.service.api.upgrades import VERSION_SKEW, Facts, candidates, checks, why_not_from
from vks.service.api.workload import blocking_budgets, connect, deprecated_apis
from vks.service.applying import plain
from vks.service.names import CLUSTER_LABEL

router = APIRouter(prefix="/projects/{project}/clusters/{cluster}/upgrades", tags=["upgrades"])

#: State that an action leads to, and the states in which it can be asked for.
_ACTIONS: dict[str, tuple[Literal["Running", "Paused", "Aborted"], tuple[str, ...]]] = {
    "pause": ("Paused", ("Running", "Paused")),
    "resume": ("Running", ("Running", "Paused")),
    "abort": ("Aborted", ("Running", "Paused", "Aborted")),
}


@router.get("", operation_id="listUpgrades")
async def list_upgrades(scope: ScopeIn, cluster: Name) -> models.UpgradesView:
    """The versions that the cluster can go to, each with what was looked at beforehand."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    facts = await _facts(scope, region, found)
    upgrade = found.spec.upgrade
    return models.UpgradesView(
        control_plane=found.spec.version,
        node_pools=[
            models.PoolVersion(name=p.spec.pool_name, version=p.spec.version) for p in facts.pools
        ],
        current=None
        if upgrade is None
        else models.UpgradeState(
            version=upgrade.version,
            from_version=upgrade.from_version,
            state=upgrade.state,
            operation=upgrade.operation,
        ),
        available=[
            _option(facts, version)
            for version in candidates(found, facts.pools, facts.offer.versions)
        ],
    )


@router.post("", operation_id="startUpgrade", status_code=202)
async def start_upgrade(
    asked: ChangingIn, cluster: Name, body: models.UpgradeRequest, if_match: IfMatch = None
) -> models.OperationView:
    """Upgrades the control plane, then one node pool after the other."""
    scope = asked.scope
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    change = asked.change(body)
    if (known := await asked.known(change, region, found.metadata.namespace)) is not None:
        return known
    check_match(if_match, found)
    refuse_deleting(found)
    if found.spec.upgrade is None or found.spec.upgrade.operation != change.name:
        await refuse_maintained(scope, region, found)
        await _refuse_second(region, found)
        facts = await _facts(scope, region, found)
        _check_request(body, facts)
        found = await _write(region, found, facts, body.version, change.name)
    more = {"version": body.version}
    return await asked.record(change, region, "UpgradeCluster", cluster, found, more=more)


@router.post("/{action}", operation_id="steerUpgrade", status_code=202)
async def steer_upgrade(
    scope: ScopeIn,
    cluster: Name,
    action: Literal["pause", "resume", "abort"],
    response: Response,
) -> models.OperationView:
    """Pause: nothing further begins. Resume: it goes on. Abort: what has begun is brought to an
    end (a control plane forward, a node pool back), the rest stays as it is."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    upgrade = found.spec.upgrade
    operation = await _running(region, found)
    if upgrade is None or operation is None:
        raise Problem("conflict", "no upgrade is under way")
    state, sensible = _ACTIONS[action]
    if upgrade.state not in sensible:
        raise Problem("conflict", f"the upgrade is {upgrade.state}: {action} is too late")
    await patch_spec(region.client, found, {"upgrade": {"state": state}})
    return accepted(response, scope, region, operation)


def _option(facts: Facts, version: str) -> models.UpgradeOption:
    findings = checks(facts, version)
    return models.UpgradeOption(
        version=version,
        image=facts.offer.versions[version].id,
        allowed=all(finding.status == "Passed" for finding in findings),
        checks=findings,
    )


async def _facts(scope: Scope, region: Region, cluster: ManagedCluster) -> Facts:
    meta = cluster.metadata
    offer = await read_offer(scope.caller.clouds[region.name], region.config.zones)
    selector = f"{CLUSTER_LABEL}={meta.name}"
    pools = await region.client.list(NodePool, meta.namespace, label_selector=selector)
    port_pools = await find_port_pools(region, cluster)
    known = Facts(cluster, pools.items, offer, port_pools, None, None)
    try:
        async with connect(region.client, cluster.key) as workload:
            budgets = await blocking_budgets(workload)
        deprecated = await deprecated_apis(region.client, cluster)
    except ApiError:
        return known  # the checks say so
    return replace(known, budgets=budgets, deprecated=deprecated)


def _check_request(body: models.UpgradeRequest, facts: Facts) -> None:
    """Raises Problem."""
    version = body.version
    if reason := why_not_from(facts.cluster, facts.pools, version):
        raise _wrong(reason)
    if version not in facts.offer.versions:
        known = ", ".join(sorted(facts.offer.versions)) or "none"
        raise _wrong(f"unknown version {version!r}; offered: {known}")
    if any(pool.spec.version is None for pool in facts.pools):
        raise Problem("not_ready", "the cluster's node pools have not been set up yet")
    findings = [f for f in checks(facts, version) if f.status != "Passed"]
    if skew := [f.message for f in findings if f.name == VERSION_SKEW]:
        raise _wrong(skew[0])
    if findings and not body.force:
        raise Problem(
            "upgrade_blocked",
            "checks did not pass; `force` starts it nevertheless",
            errors=[FieldProblem(field=f.name, message=f.message) for f in findings],
        )


def _wrong(message: str) -> Problem:
    return invalid([FieldProblem(field="version", message=message)])


async def _running(region: Region, cluster: ManagedCluster) -> Operation | None:
    """The operation of an upgrade that is under way."""
    upgrade = cluster.spec.upgrade
    if upgrade is None:
        return None
    try:
        found = await region.client.get(Operation, upgrade.operation, cluster.metadata.namespace)
    except NotFound:
        return None
    return found if found.status.finished is None else None


async def _refuse_second(region: Region, cluster: ManagedCluster) -> None:
    running = await _running(region, cluster)
    if running is not None:
        raise Problem("conflict", f"an upgrade to {running.spec.version} is under way")


async def _write(
    region: Region, cluster: ManagedCluster, facts: Facts, version: str, operation: str
) -> ManagedCluster:
    """Records the upgrade and begins it, in one write. One that goes on where an aborted one to
    the same version has ended remembers where that began."""
    image = facts.offer.versions[version].id
    spec = cluster.spec
    before, moves = spec.upgrade, version != spec.version
    again = before if before is not None and not moves and before.version == version else None
    upgrade = UpgradeSpec(
        version=version,
        image=image,
        from_version=again.from_version if again else spec.version,
        from_image=again.from_image if again else spec.control_plane.image,
        operation=operation,
    )
    wanted: dict[str, Any] = {"upgrade": plain(upgrade), "version": version}
    if moves:
        wanted["controlPlane"] = {"image": image}
    return await patch_spec(region.client, cluster, wanted)
