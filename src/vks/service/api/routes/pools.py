"""Node pools and their nodes."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from vks.kube.errors import AlreadyExists
from vks.kube.objects import owner_reference
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool, NodePoolSpec, nodepool_name
from vks.service.api import models
from vks.service.api.changing import ChangingIn, refuse_deleting
from vks.service.api.clashes import PoolName, refuse_clashes
from vks.service.api.context import (
    Continue,
    IfMatch,
    Limit,
    Name,
    Scope,
    ScopeIn,
    check_match,
    etag,
)
from vks.service.api.findings import Findings
from vks.service.api.infrastructure import find_workers
from vks.service.api.legacy import refuse_unoffered
from vks.service.api.maintenance import refuse_maintained
from vks.service.api.nodes import machines_of
from vks.service.api.offer import read_offer
from vks.service.api.pool_models import (
    NodePoolCreate,
    NodePoolPatch,
    NodePoolPlan,
    NodePoolView,
)
from vks.service.api.pool_requests import merge_patch, patched, pool_spec
from vks.service.api.pool_views import plan_view, pool_view
from vks.service.api.problems import FieldProblem, Problem, absent, invalid
from vks.service.api.regions import FIELD_MANAGER, Region, find_cluster, list_page, patch_spec
from vks.service.api.requests import pool_image, public_key, with_image_id, with_key
from vks.service.api.resizing import check_resize
from vks.service.api.staticip import (
    NO_ADDRESSES,
    Addresses,
    check_enough,
    check_new_pools,
    network_of,
    read_addresses,
    reserve_of_others,
    slots_of,
    with_addresses,
)
from vks.service.api.validation import check_change, check_pool
from vks.service.api.views import node_view
from vks.service.api.watching import EVENT_STREAM, Followed, stream
from vks.service.applying import plain
from vks.service.names import CLUSTER_LABEL, POOL_LABEL
from vks.service.nodepool.plan import plan

router = APIRouter(prefix="/projects/{project}/clusters/{cluster}", tags=["node pools"])


async def _find(scope: Scope, cluster: str, pool: str) -> tuple[Region, ManagedCluster, NodePool]:
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    name = nodepool_name(cluster, pool)
    with absent(f"cluster {cluster!r} has no node pool {pool!r}"):
        return region, found, await region.client.get(NodePool, name, found.metadata.namespace)


@router.post("/node-pools", operation_id="createNodePool", status_code=202)
async def create_node_pool(
    asked: ChangingIn, cluster: Name, body: NodePoolCreate
) -> models.OperationView:
    """Adds a pool to a cluster."""
    scope = asked.scope
    region, owner = await find_cluster(scope.regions, scope.caller, cluster)
    namespace = owner.metadata.namespace
    change = asked.change(body)
    if (known := await asked.known(change, region, namespace)) is not None:
        return known
    refuse_deleting(owner)
    await refuse_maintained(scope, region, owner)
    offer = await read_offer(scope.caller.clouds[region.name], region.config.zones)
    addresses = await _addresses(scope, region, owner) if body.static_ip else NO_ADDRESSES
    more = check_new_pools([("", body)], offer.zones, addresses)
    check_pool(body, owner.spec.version, offer, scope.config.limits, more)
    refuse_unoffered(owner.spec.provisioner, "", body)
    await _check_room(region, owner, scope.config.limits.max_node_pools)
    await refuse_clashes(region, namespace, [("name", PoolName(cluster, body.name))])
    version = owner.spec.version
    image, key = pool_image(body, version, offer), public_key(body.key_name, offer)
    spec = pool_spec(cluster, body, image, offer.zones, version, key)
    manifest = {
        "metadata": {
            "name": nodepool_name(cluster, body.name),
            "namespace": namespace,
            "labels": {CLUSTER_LABEL: cluster},
            "annotations": {"vks.verda/request": change.mark},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": plain(with_addresses(spec, body.static_ip, addresses)),
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
    return await asked.record(change, region, "CreateNodePool", cluster, pool)


async def _addresses(scope: Scope, region: Region, owner: ManagedCluster) -> Addresses:
    meta = owner.metadata
    network = await network_of(region, owner)
    addresses = await read_addresses(scope.caller.clouds[region.name], network)
    return await reserve_of_others(region, meta.namespace, network, meta.name, addresses)


async def _check_room(region: Region, cluster: ManagedCluster, most: int) -> None:
    selector = f"{CLUSTER_LABEL}={cluster.metadata.name}"
    pools = await region.client.list(NodePool, cluster.metadata.namespace, label_selector=selector)
    if len(pools.items) >= most:
        raise invalid([FieldProblem(field="name", message=f"a cluster has at most {most} pools")])


@router.get(
    "/node-pools",
    operation_id="listNodePools",
    response_model=models.Page[NodePoolView],
    responses=EVENT_STREAM,
)
async def list_node_pools(
    scope: ScopeIn,
    cluster: Name,
    limit: Limit = 100,
    continue_: Continue = None,
    watch: bool = False,
) -> Any:
    """The pools of a cluster; `watch` streams them as server-sent events."""
    region, owner = await find_cluster(scope.regions, scope.caller, cluster)
    selector = f"{CLUSTER_LABEL}={cluster}"
    if watch:
        return stream(
            Followed(
                region=region,
                namespace=owner.metadata.namespace,
                model=NodePool,
                view=pool_view,
                label_selector=selector,
            )
        )
    items, token = await list_page(
        [region],
        scope.caller,
        NodePool,
        limit=limit,
        token=continue_,
        label_selector=selector,
    )
    return models.Page[NodePoolView].of([pool_view(pool) for _, pool in items], token)


@router.get(
    "/node-pools/{pool}",
    operation_id="getNodePool",
    response_model=NodePoolView,
    responses=EVENT_STREAM,
)
async def get_node_pool(
    scope: ScopeIn, cluster: Name, pool: Name, response: Response, watch: bool = False
) -> Any:
    """One pool; `watch` streams it until it is gone."""
    region, _, found = await _find(scope, cluster, pool)
    if watch:
        return stream(
            Followed(
                region=region,
                namespace=found.metadata.namespace,
                model=NodePool,
                view=pool_view,
                name=found.metadata.name,
            )
        )
    response.headers["ETag"] = etag(found)
    return pool_view(found)


@router.patch(
    "/node-pools/{pool}",
    operation_id="updateNodePool",
    status_code=202,
    response_model=models.OperationView,
    responses={200: {"model": NodePoolPlan, "description": "The plan of a dry run"}},
)
async def update_node_pool(
    asked: ChangingIn,
    cluster: Name,
    pool: Name,
    body: NodePoolPatch,
    dry_run: Annotated[bool, Query(alias="dryRun")] = False,
    if_match: IfMatch = None,
) -> Any:
    """A JSON merge patch. With `dryRun` nothing is changed, and the answer is the plan: which
    machines would be replaced, and what changes in place."""
    scope = asked.scope
    region, owner, found = await _find(scope, cluster, pool)
    namespace = found.metadata.namespace
    change = asked.change(body, sparse=True)
    if not dry_run and (known := await asked.known(change, region, namespace)) is not None:
        return known
    check_match(if_match, found)
    refuse_deleting(owner)
    if found.deleting:
        raise Problem("conflict", "the pool is being deleted")
    if not dry_run:
        await refuse_maintained(scope, region, owner)
    after = patched(found, body)
    if after.autoscaling is not None and body.replicas is not None:
        raise invalid(
            [FieldProblem(field="replicas", message="is the autoscaler's: change autoscaling")]
        )
    offer = await read_offer(scope.caller.clouds[region.name], region.config.zones)
    after = with_image_id(after, offer)
    if "key_name" in body.model_fields_set:
        after = with_key(found.spec, after, offer)
    wrong = Findings()
    after = await _resized(scope, region, owner, found, body, after, wrong)
    check_change(found, after, offer, scope.config.limits, wrong)
    refuse_unoffered(owner.spec.provisioner, "", after)
    workers = await find_workers(region, owner, found.spec.pool_name)
    planned = plan(owner, found, after, *workers)
    if dry_run:
        view = plan_view(planned, after, etag(found))
        return JSONResponse(view.model_dump(by_alias=True))
    changed = await patch_spec(region.client, found, merge_patch(found.spec, after))
    more = {"replaces": [machine.metadata.name for machine in planned.replaced]}
    return await asked.record(change, region, "UpdateNodePool", cluster, changed, more=more)


async def _resized(
    scope: Scope,
    region: Region,
    owner: ManagedCluster,
    pool: NodePool,
    body: NodePoolPatch,
    after: NodePoolSpec,
    found: Findings,
) -> NodePoolSpec:
    """`after` with the static addresses that are asked for; every node must find one."""
    static, most = pool.spec.static_ip, after.replicas
    if after.autoscaling is not None:
        most = after.autoscaling.max
    if static is None:
        if body.static_ip is not None:
            found.bad("staticIP", "the pool was made without static addresses: make another one")
        return after
    if body.static_ip is None and "static_ip" in body.model_fields_set:
        found.bad("staticIP", "cannot be taken from a pool: make another one")
    if body.static_ip is None:
        field = "replicas" if after.autoscaling is None else "autoscaling.max"
        check_enough(field, static.slots, most, found)
        return after
    ports = await slots_of(region, owner, pool.spec.pool_name)
    addresses = await _addresses(scope, region, owner)
    slots = check_resize(body.static_ip, static, ports, addresses, after.zones, most, found)
    resized = msgspec.structs.replace(static, slots=tuple(slots))
    return msgspec.structs.replace(after, static_ip=resized)


@router.delete("/node-pools/{pool}", operation_id="deleteNodePool", status_code=202)
async def delete_node_pool(
    asked: ChangingIn, cluster: Name, pool: Name, if_match: IfMatch = None
) -> models.OperationView:
    """Drains and deletes the pool's nodes."""
    change = asked.change()
    if (known := await asked.known_somewhere(change)) is not None:
        return known
    region, owner, found = await _find(asked.scope, cluster, pool)
    meta = found.metadata
    check_match(if_match, found)
    await refuse_maintained(asked.scope, region, owner)
    await region.client.delete(NodePool, meta.name, meta.namespace, uid=meta.uid)
    return await asked.record(change, region, "DeleteNodePool", cluster, found, generation=0)


@router.get("/node-pools/{pool}/nodes", operation_id="listPoolNodes")
async def list_pool_nodes(
    scope: ScopeIn, cluster: Name, pool: Name
) -> models.Page[models.NodeView]:
    """The pool's nodes, from the moment when they are asked for."""
    region, _, found = await _find(scope, cluster, pool)
    return await _nodes(region, found.metadata.namespace, cluster, pool)


@router.get("/nodes", operation_id="listNodes")
async def list_nodes(scope: ScopeIn, cluster: Name) -> models.Page[models.NodeView]:
    """All nodes of the cluster, control planes too."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    return await _nodes(region, found.metadata.namespace, cluster)


async def _nodes(
    region: Region, namespace: str, cluster: str, pool: str | None = None
) -> models.Page[models.NodeView]:
    return models.Page[models.NodeView](
        items=[
            node_view(machine, server)
            for machine, server in await machines_of(region, namespace, cluster)
            if pool is None or machine.metadata.labels.get(POOL_LABEL) == pool
        ]
    )
