"""Clusters: create, read, change, delete."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from vks.kube.errors import AlreadyExists
from vks.resources.managedcluster import (
    INITIAL_POOLS_ANNOTATION,
    REQUEST_ANNOTATION,
    ManagedCluster,
)
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
from vks.service.api.legacy import check_choice, refuse_own_network, refuse_unoffered
from vks.service.api.maintenance import refuse_handed_over, refuse_maintained
from vks.service.api.offer import read_offer, read_ranges
from vks.service.api.pool_requests import pool_spec
from vks.service.api.problems import FieldProblem, Problem, invalid
from vks.service.api.regions import FIELD_MANAGER, Region, find_cluster, list_page, patch_spec
from vks.service.api.requests import cluster_spec, pool_image, public_key
from vks.service.api.staticip import (
    NO_ADDRESSES,
    Addresses,
    check_new_pools,
    read_addresses,
    reserve_of_others,
    with_addresses,
)
from vks.service.api.validation import check_cluster, check_growth, check_ranges
from vks.service.api.views import cluster_view
from vks.service.api.watching import EVENT_STREAM, Followed, stream
from vks.service.applying import plain
from vks.service.names import CLUSTER_LABEL

router = APIRouter(prefix="/projects/{project}/clusters", tags=["clusters"])


@router.post("", operation_id="createCluster", status_code=202)
async def create_cluster(asked: ChangingIn, body: models.ClusterCreate) -> models.OperationView:
    """Makes a cluster and its node pools. Nothing is made when anything is wrong with it."""
    scope = asked.scope
    region = scope.region(body.region)
    if region is None:
        regions = ", ".join(region.name for region in scope.regions)
        raise invalid([FieldProblem(field="region", message=f"unknown region; regions: {regions}")])
    check_choice(body.provisioner, region.config, operator=scope.is_operator)
    change = asked.change(body)
    namespace = await region.namespace(scope.caller)
    if (known := await asked.known(change, region, namespace)) is not None:
        return known
    cloud = scope.caller.clouds[region.name]
    offer = await read_offer(cloud, region.config.zones)
    addresses = await _addresses(scope, region, namespace, body)
    named = [(f"nodePools.{index}.", pool) for index, pool in enumerate(body.node_pools)]
    more = check_new_pools(named, offer.zones, addresses)
    check_cluster(body, offer, scope.config.limits, more)
    for prefix, pool in named:
        refuse_unoffered(body.provisioner, prefix, pool)
    refuse_own_network(body.provisioner, body.network.cni)
    names = [(f"{prefix}name", PoolName(body.name, pool.name)) for prefix, pool in named]
    await refuse_clashes(region, namespace, names)
    check_ranges(body.network, await read_ranges(cloud, body.network.network_id, offer))
    specs = [
        pool_spec(
            body.name,
            pool,
            pool_image(pool, body.version, offer),
            offer.zones,
            body.version,
            public_key(pool.key_name, offer),
        )
        for pool in body.node_pools
    ]
    pools = [
        plain(with_addresses(spec, pool.static_ip, addresses))
        for spec, pool in zip(specs, body.node_pools, strict=True)
    ]
    manifest = {
        "metadata": {
            "name": body.name,
            "namespace": namespace,
            "labels": {CLUSTER_LABEL: body.name},
            "annotations": {
                REQUEST_ANNOTATION: change.mark,
                INITIAL_POOLS_ANNOTATION: msgspec.json.encode(pools).decode(),
            },
        },
        "spec": plain(cluster_spec(body, offer, region.config.bootstrap)),
    }
    try:
        cluster = await region.client.create(ManagedCluster, manifest, field_manager=FIELD_MANAGER)
    except AlreadyExists:
        cluster = await region.client.get(ManagedCluster, body.name, namespace)
        if cluster.metadata.annotations.get(REQUEST_ANNOTATION) != change.mark:
            raise Problem(
                "already_exists",
                f"a cluster {body.name!r} exists",
                errors=[FieldProblem(field="name", message="is taken")],
            ) from None
    return await asked.record(change, region, "CreateCluster", body.name, cluster)


async def _addresses(
    scope: Scope, region: Region, namespace: str, body: models.ClusterCreate
) -> Addresses:
    """Looked at only when a pool wants some."""
    network = body.network.network_id
    if network is None or all(pool.static_ip is None for pool in body.node_pools):
        return NO_ADDRESSES
    addresses = await read_addresses(scope.caller.clouds[region.name], network)
    return await reserve_of_others(region, namespace, network, body.name, addresses)


@router.get(
    "",
    operation_id="listClusters",
    response_model=models.Page[models.ClusterView],
    responses=EVENT_STREAM,
)
async def list_clusters(
    scope: ScopeIn, limit: Limit = 100, continue_: Continue = None, watch: bool = False
) -> Any:
    """The project's clusters; `watch` streams them as server-sent events."""
    if watch:
        return stream(
            *[
                Followed(
                    region=region,
                    namespace=await region.namespace(scope.caller),
                    model=ManagedCluster,
                    view=partial(cluster_view, project=scope.project),
                )
                for region in scope.regions
            ]
        )
    items, token = await list_page(
        scope.regions, scope.caller, ManagedCluster, limit=limit, token=continue_
    )
    return models.Page[models.ClusterView].of(
        [cluster_view(cluster, scope.project) for _, cluster in items], token
    )


@router.get(
    "/{cluster}",
    operation_id="getCluster",
    response_model=models.ClusterView,
    responses=EVENT_STREAM,
)
async def get_cluster(
    scope: ScopeIn, cluster: Name, response: Response, watch: bool = False
) -> Any:
    """One cluster. No credential is part of it: ask for a kubeconfig."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    if watch:
        return stream(
            Followed(
                region=region,
                namespace=found.metadata.namespace,
                model=ManagedCluster,
                view=partial(cluster_view, project=scope.project),
                name=cluster,
            )
        )
    response.headers["ETag"] = etag(found)
    return cluster_view(found, scope.project)


@router.patch("/{cluster}", operation_id="updateCluster", status_code=202)
async def update_cluster(
    asked: ChangingIn, cluster: Name, body: models.ClusterPatch, if_match: IfMatch = None
) -> models.OperationView:
    """A JSON merge patch. `If-Match` is optional: what is not in the patch is not touched."""
    scope = asked.scope
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    change = asked.change(body)
    if (known := await asked.known(change, region, found.metadata.namespace)) is not None:
        return known
    check_match(if_match, found)
    refuse_deleting(found)
    if body.control_plane is not None:
        await refuse_maintained(scope, region, found)
    spec: dict[str, Any] = {}
    if body.deletion_protection is not None:
        spec["deletionProtection"] = body.deletion_protection
    if body.control_plane is not None:
        plane, wanted = found.spec.control_plane, body.control_plane.replicas
        offer = await read_offer(scope.caller.clouds[region.name], region.config.zones)
        check_growth("controlPlane.replicas", plane.flavor, wanted - plane.replicas, offer)
        spec["controlPlane"] = {"replicas": wanted}
    changed = await patch_spec(region.client, found, spec)
    return await asked.record(change, region, "UpdateCluster", cluster, changed)


@router.delete("/{cluster}", operation_id="deleteCluster", status_code=202)
async def delete_cluster(
    asked: ChangingIn, cluster: Name, if_match: IfMatch = None
) -> models.OperationView:
    """Deletes the cluster and everything that was made for it; `associated-resources` says what
    that is. Refused while `deletionProtection` is on."""
    scope, change = asked.scope, asked.change()
    if (known := await asked.known_somewhere(change)) is not None:
        return known
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    namespace = found.metadata.namespace
    check_match(if_match, found)
    if found.spec.deletion_protection:
        raise Problem(
            "deletion_protected",
            f"cluster {cluster!r} is protected from deletion",
            errors=[FieldProblem(field="deletionProtection", message="is on: take it off first")],
        )
    await refuse_handed_over(scope, region, found)
    await region.client.delete(ManagedCluster, cluster, namespace, uid=found.metadata.uid)
    return await asked.record(change, region, "DeleteCluster", cluster, found, generation=0)
