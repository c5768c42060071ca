"""Node pools and their nodes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from vks.kube.errors import AlreadyExists
from vks.kube.objects import owner_reference
from vks.resources.clusterapi import Machine
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool, nodepool_name
from vks.resources.verdamachine import VerdaMachine
from vks.service.api import models
from vks.service.api.context import (
    Continue,
    IdempotencyKey,
    IfMatch,
    Limit,
    Name,
    Scope,
    ScopeIn,
    check_match,
    etag,
)
from vks.service.api.operations import Change, record, recorded
from vks.service.api.problems import FieldProblem, Problem
from vks.service.api.regions import FIELD_MANAGER, Region, find_cluster, list_page
from vks.service.api.requests import pool_spec, taint
from vks.service.api.routes.clusters import accepted, refuse_deleting
from vks.service.api.validation import (
    Findings,
    Offer,
    check_growth,
    check_pool,
    check_zones,
    read_offer,
)
from vks.service.api.views import node_view, pool_view
from vks.service.applying import plain
from vks.service.names import CLUSTER_LABEL, POOL_LABEL

router = APIRouter(prefix="/projects/{project}/clusters/{cluster}", tags=["node pools"])


async def _find(scope: Scope, cluster: str, pool: str) -> tuple[Region, ManagedCluster, NodePool]:
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    name = nodepool_name(cluster, pool)
    return region, found, await region.client.get(NodePool, name, found.metadata.namespace)


@router.post("/node-pools", operation_id="createNodePool", status_code=202)
async def create_node_pool(
    scope: ScopeIn,
    cluster: Name,
    body: models.NodePoolCreate,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> models.OperationView:
    """Adds a pool to a cluster."""
    region, owner = await find_cluster(scope.regions, scope.caller, cluster)
    namespace = owner.metadata.namespace
    change = Change.of(
        scope.caller, "POST", request.url.path, body.model_dump(mode="json"), idempotency_key
    )
    if (known := await recorded(change, region, namespace)) is not None:
        return accepted(response, scope, region, known)
    refuse_deleting(owner)
    offer = await read_offer(scope.caller.clouds[region.name], region.config.zones)
    check_pool(body, offer, scope.config.limits)
    manifest = {
        "metadata": {
            "name": nodepool_name(cluster, body.name),
            "namespace": namespace,
            "labels": {CLUSTER_LABEL: cluster},
            "annotations": {"vks.verda/request": change.mark},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": plain(pool_spec(cluster, body, owner.spec.version, offer)),
    }
    try:
        pool = await region.client.create(NodePool, manifest, field_manager=FIELD_MANAGER)
    except AlreadyExists:
        pool = await region.client.get(NodePool, manifest["metadata"]["name"], namespace)
        if pool.metadata.annotations.get("vks.verda/request") != change.mark:
            raise Problem(
                "already_exists",
                f"a pool {body.name!r} exists",
                errors=[FieldProblem(field="name", message="is taken")],
            ) from None
    operation = await record(change, region, namespace, "CreateNodePool", cluster, pool)
    return accepted(response, scope, region, operation)


@router.get("/node-pools", operation_id="listNodePools")
async def list_node_pools(
    scope: ScopeIn, cluster: Name, limit: Limit = 100, continue_: Continue = None
) -> models.Page[models.NodePoolView]:
    """The pools of a cluster."""
    region, _ = await find_cluster(scope.regions, scope.caller, cluster)
    items, token = await list_page(
        [region],
        scope.caller,
        NodePool,
        limit=limit,
        token=continue_,
        label_selector=f"{CLUSTER_LABEL}={cluster}",
    )
    return models.Page[models.NodePoolView].of([pool_view(pool) for _, pool in items], token)


@router.get("/node-pools/{pool}", operation_id="getNodePool")
async def get_node_pool(
    scope: ScopeIn, cluster: Name, pool: Name, response: Response
) -> models.NodePoolView:
    _, _, found = await _find(scope, cluster, pool)
    response.headers["ETag"] = etag(found)
    return pool_view(found)


@router.patch("/node-pools/{pool}", operation_id="updateNodePool", status_code=202)
async def update_node_pool(
    scope: ScopeIn,
    cluster: Name,
    pool: Name,
    body: models.NodePoolPatch,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> models.OperationView:
    """A JSON merge patch: scale, move to other zones, change labels and taints."""
    region, owner, found = await _find(scope, cluster, pool)
    namespace = found.metadata.namespace
    asked = body.model_dump(mode="json", exclude_unset=True)
    change = Change.of(scope.caller, "PATCH", request.url.path, asked, idempotency_key)
    if (known := await recorded(change, region, namespace)) is not None:
        return accepted(response, scope, region, known)
    check_match(if_match, found)
    refuse_deleting(owner)
    if found.deleting:
        raise Problem("conflict", "the pool is being deleted")
    offer = await read_offer(scope.caller.clouds[region.name], region.config.zones)
    _check_patch(body, found, offer, scope.config.limits.max_pool_replicas)
    patch = {
        "metadata": {"resourceVersion": found.metadata.resource_version},
        "spec": _spec_patch(body),
    }
    changed = await region.client.merge_patch(
        NodePool, found.metadata.name, namespace, patch, field_manager=FIELD_MANAGER
    )
    operation = await record(change, region, namespace, "UpdateNodePool", cluster, changed)
    return accepted(response, scope, region, operation)


def _check_patch(body: models.NodePoolPatch, pool: NodePool, offer: Offer, most: int) -> None:
    found = Findings()
    check_zones("zones", body.zones or (), offer, found)
    if body.replicas is not None and body.replicas > most:
        found.bad("replicas", f"at most {most}")
    found.settle()
    if body.replicas is not None:
        check_growth("replicas", pool.spec.flavor, body.replicas - pool.spec.replicas, offer)


def _spec_patch(body: models.NodePoolPatch) -> dict[str, Any]:
    patch: dict[str, Any] = {
        "replicas": body.replicas,
        "zones": body.zones,
        "labels": body.labels,
    }
    patch = {name: value for name, value in patch.items() if value is not None}
    if body.taints is not None:
        patch["taints"] = [plain(taint(t)) for t in body.taints]
    return patch


@router.delete("/node-pools/{pool}", operation_id="deleteNodePool", status_code=202)
async def delete_node_pool(
    scope: ScopeIn,
    cluster: Name,
    pool: Name,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> models.OperationView:
    """Drains and deletes the pool's nodes."""
    region, _, found = await _find(scope, cluster, pool)
    meta = found.metadata
    change = Change.of(scope.caller, "DELETE", request.url.path, None, idempotency_key)
    if (known := await recorded(change, region, meta.namespace)) is not None:
        return accepted(response, scope, region, known)
    check_match(if_match, found)
    await region.client.delete(NodePool, meta.name, meta.namespace, uid=meta.uid)
    operation = await record(
        change, region, meta.namespace, "DeleteNodePool", cluster, found, generation=0
    )
    return accepted(response, scope, region, operation)


@router.get("/node-pools/{pool}/nodes", operation_id="listPoolNodes")
async def list_pool_nodes(
    scope: ScopeIn, cluster: Name, pool: Name
) -> models.Page[models.NodeView]:
    """The pool's nodes, from the moment when they are asked for."""
    region, _, found = await _find(scope, cluster, pool)
    return await _nodes(region, found.metadata.namespace, f"{_of(cluster)},{POOL_LABEL}={pool}")


@router.get("/nodes", operation_id="listNodes")
async def list_nodes(scope: ScopeIn, cluster: Name) -> models.Page[models.NodeView]:
    """All nodes of the cluster, control planes too."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    return await _nodes(region, found.metadata.namespace, _of(cluster))


def _of(cluster: str) -> str:
    return f"cluster.x-k8s.io/cluster-name={cluster}"


async def _nodes(region: Region, namespace: str, selector: str) -> models.Page[models.NodeView]:
    machines = await region.client.list(Machine, namespace, label_selector=selector)
    servers = await region.client.list(
        VerdaMachine, namespace, label_selector=selector.partition(",")[0]
    )
    by_name = {server.metadata.name: server for server in servers.items}
    return models.Page[models.NodeView](
        items=[
            node_view(machine, by_name.get(machine.spec.infrastructure_ref.name))
            for machine in sorted(machines.items, key=lambda m: m.metadata.name)
        ]
    )
