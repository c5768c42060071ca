"""What belongs to a cluster: credentials, events, and the things in the cloud."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter

from vks.kube.errors import NotFound
from vks.kube.objects import Resource
from vks.kube.times import rfc3339
from vks.resources.core import Secret
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.service.api import models
from vks.service.api.context import Name, ScopeIn
from vks.service.api.infrastructure import find_infrastructure, find_port_pools
from vks.service.api.kubeconfig import issue, user_of
from vks.service.api.nodes import machines_of
from vks.service.api.problems import Problem
from vks.service.api.regions import find_cluster
from vks.service.api.views import event_view
from vks.service.names import CLUSTER_LABEL
from vks.service.provisioners.capi.addons.autoscaler import autoscaler_manifest

router = APIRouter(prefix="/projects/{project}/clusters/{cluster}", tags=["clusters"])

_EVENTS = Resource("events.k8s.io", "v1", "Event", "events")
_MAX_EVENTS = 500


@router.post("/kubeconfig", operation_id="createKubeconfig")
async def create_kubeconfig(
    scope: ScopeIn, cluster: Name, body: models.KubeconfigRequest | None = None
) -> models.Kubeconfig:
    """Issues a credential that is good for a while and cannot be revoked before."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    endpoint = found.status.endpoint
    try:
        secret = await region.client.get(Secret, f"{cluster}-ca", found.metadata.namespace)
    except NotFound:
        secret = None
    if endpoint is None or not endpoint.valid or secret is None:
        raise Problem("not_ready", "the cluster has no API server yet")
    now = datetime.now(UTC)
    ttl = (body or models.KubeconfigRequest()).ttl_seconds
    expires = now + timedelta(seconds=ttl)
    text = await asyncio.to_thread(
        issue,
        cluster=cluster,
        server=f"https://{endpoint.host}:{endpoint.port}",
        ca_certificate=base64.b64decode(secret.data["tls.crt"]),
        ca_key=base64.b64decode(secret.data["tls.key"]),
        user=user_of(scope.caller.user_name, scope.caller.user_id),
        expires=expires,
        now=now,
        proxy_url=region.config.proxy_url,
    )
    return models.Kubeconfig(kubeconfig=text, expires_at=rfc3339(expires))


@router.get("/events", operation_id="listEvents")
async def list_events(scope: ScopeIn, cluster: Name) -> models.Page[models.EventView]:
    """What happened to the cluster and its parts lately, the newest last."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    events = await region.client.list(_EVENTS, found.metadata.namespace)
    views = [
        event_view(event)
        for event in events.items
        if _about((event.get("regarding") or {}).get("name", ""), cluster)
    ]
    views.sort(key=lambda view: view.last_seen or "")
    return models.Page[models.EventView](items=views[-_MAX_EVENTS:])


def _about(name: str, cluster: str) -> bool:
    """Names of parts begin with the cluster's: see `vks.service.names`."""
    return name == cluster or name.startswith((f"{cluster}-", f"{cluster}."))


@router.get("/autoscaler", operation_id="getAutoscaler")
async def get_autoscaler(scope: ScopeIn, cluster: Name) -> models.AutoscalerView:
    """The cluster-autoscaler for the cluster's autoscaled pools, as objects for the region's
    management cluster."""
    _, found = await find_cluster(scope.regions, scope.caller, cluster)
    return models.AutoscalerView(manifest=autoscaler_manifest(found))


@router.get("/associated-resources", operation_id="listAssociatedResources")
async def list_associated_resources(
    scope: ScopeIn, cluster: Name
) -> models.Page[models.AssociatedResource]:
    """What in the cloud belongs to the cluster: what its deletion deletes and what it keeps."""
    region, found = await find_cluster(scope.regions, scope.caller, cluster)
    namespace = found.metadata.namespace
    machines = await machines_of(region, namespace, cluster)
    servers = [server for _, server in machines if server is not None]
    items = [item for server in servers for item in _of_machine(server)]
    items += [
        _item("port", port.status.port_id, port.metadata.name, False)
        for known in await find_port_pools(region, found)
        for port in known.ports.values()
        if port.status.port_id
    ]
    infrastructure = await find_infrastructure(region, found)
    if infrastructure is not None:
        items += _of_infrastructure(infrastructure)
    pools = await region.client.list(
        NodePool, namespace, label_selector=f"{CLUSTER_LABEL}={cluster}"
    )
    return models.Page[models.AssociatedResource](items=[*items, *_kept(found, pools.items)])


def _of_machine(machine: VerdaMachine) -> list[models.AssociatedResource]:
    adopted = machine.spec.adopt_server_id and machine.spec.adopted_server_policy == "Retain"
    status = machine.status
    own_port = status.port_id if machine.spec.port_pool_ref is None else None
    found = [("server", status.server_id, bool(adopted)), ("port", own_port, bool(adopted))]
    return [_item(type_, id_, machine.metadata.name, kept) for type_, id_, kept in found if id_]


def _of_infrastructure(infrastructure: VerdaCluster) -> list[models.AssociatedResource]:
    status, name = infrastructure.status, infrastructure.metadata.name
    network = status.network
    found = [
        ("network", network.network_id, not network.managed),
        ("subnet", network.subnet_id, not network.managed),
        ("router", network.router_id, not network.managed),
        ("securityGroup", network.security_group_id, False),
        ("loadBalancer", status.load_balancer.id, False),
        ("serverGroup", status.server_groups.control_plane_id, False),
        ("serverGroup", status.server_groups.worker_id, False),
    ]
    return [_item(type_, id_, name, kept) for type_, id_, kept in found if id_]


def _kept(cluster: ManagedCluster, pools: Iterable[NodePool]) -> list[models.AssociatedResource]:
    """What the cluster uses and does not own."""
    images = {cluster.spec.control_plane.image, *(pool.spec.image for pool in pools)}
    return [_item("image", image, "", True) for image in sorted(images)]


def _item(type_: str, id_: str, name: str, kept: bool) -> models.AssociatedResource:
    return models.AssociatedResource(
        type=type_, id=id_, name=name, on_delete="kept" if kept else "deleted"
    )
