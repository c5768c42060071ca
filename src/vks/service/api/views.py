"""From custom resources to what the API shows: pure functions."""

from __future__ import annotations

from typing import Any

from vks.kube.objects import find_condition
from vks.resources import operation
from vks.resources.clusterapi import Machine
from vks.resources.contract import READY
from vks.resources.managedcluster import ManagedCluster
from vks.resources.verdamachine import VerdaMachine
from vks.service.api import models
from vks.service.api.conditions import condition_views
from vks.service.api.pool_views import script_view
from vks.service.names import POOL_LABEL


def cluster_view(cluster: ManagedCluster, project: str) -> models.ClusterView:
    spec, status = cluster.spec, cluster.status
    network, plane = spec.network, status.control_plane
    endpoint = status.endpoint
    return models.ClusterView(
        name=cluster.metadata.name,
        id=cluster.metadata.uid,
        project=project,
        region=spec.region,
        version=spec.version,
        control_plane=models.ControlPlaneView(
            replicas=spec.control_plane.replicas,
            flavor=spec.control_plane.flavor,
            image=spec.control_plane.image,
            zones=list(spec.control_plane.zones),
        ),
        network=models.NetworkCreate(
            network_id=network.network_id,
            pod_cidr=network.pod_cidr,
            service_cidr=network.service_cidr,
            cni=network.cni,
        ),
        key_name=spec.key_name,
        ssh_public_key=spec.ssh_public_key,
        deletion_protection=spec.deletion_protection,
        created_at=cluster.metadata.creation_timestamp,
        deleted_at=cluster.metadata.deletion_timestamp,
        status=models.ClusterStatus(
            phase="Deleting" if cluster.deleting else status.phase,
            endpoint=f"https://{endpoint.host}:{endpoint.port}" if endpoint else None,
            control_plane=models.ControlPlaneStatus(
                replicas=plane.replicas, ready_replicas=plane.ready_replicas, version=plane.version
            ),
            conditions=condition_views(status.conditions),
        ),
    )


def operation_view(op: operation.Operation, project: str, region: str) -> models.OperationView:
    spec, status = op.spec, op.status
    _, _, pool = spec.target.name.partition(".")
    error = status.error
    return models.OperationView(
        id=op.metadata.name,
        type=spec.type,
        project=project,
        region=region,
        cluster=spec.cluster_name,
        node_pool=(pool if spec.target.kind == "NodePool" else spec.pool_name) or None,
        node=spec.target.name if spec.target.kind == "Machine" else None,
        phase=status.phase,
        progress=status.progress,
        requested_by=spec.requested_by,
        created_at=op.metadata.creation_timestamp,
        finished_at=status.finished,
        steps=[
            models.Step(
                name=step.name,
                state=step.state,
                message=step.message,
                since=step.since,
                finished_at=step.finished,
            )
            for step in status.steps
        ],
        error=models.OperationErrorView(
            code=error.code, message=error.message, details=error.details
        )
        if error
        else None,
    )


def node_view(machine: Machine, server: VerdaMachine | None) -> models.NodeView:
    own = server.status.conditions if server else ()
    ready = find_condition(machine.status.conditions, READY)
    infrastructure = find_condition(own, READY)
    is_ready = ready is not None and ready.status == "True"
    waits = infrastructure if infrastructure and infrastructure.status != "True" else ready
    return models.NodeView(
        name=machine.metadata.name,
        pool=machine.metadata.labels.get(POOL_LABEL),
        role="control-plane" if machine.is_control_plane else "worker",
        zone=machine.spec.failure_domain,
        phase=machine.status.phase or "Pending",
        ready=is_ready,
        version=machine.spec.version,
        provider_id=machine.spec.provider_id,
        server_id=(server.status.server_id or "") if server else "",
        addresses=[
            models.Address(type=address.type, address=address.address)
            for address in machine.status.addresses
        ],
        message="" if is_ready or waits is None else f"{waits.reason}: {waits.message}",
        user_script=script_view(server.status.user_script) if server else None,
        created_at=machine.metadata.creation_timestamp,
    )


def event_view(event: dict[str, Any]) -> models.EventView:
    regarding = event.get("regarding") or {}
    series = event.get("series") or {}
    first = event.get("eventTime") or event["metadata"].get("creationTimestamp")
    return models.EventView(
        type=event.get("type", "Normal"),
        reason=event.get("reason", ""),
        message=event.get("note", ""),
        object=models.ObjectReference(
            kind=regarding.get("kind", ""), name=regarding.get("name", "")
        ),
        count=series.get("count") or event.get("deprecatedCount") or 1,
        first_seen=first,
        last_seen=series.get("lastObservedTime") or event.get("deprecatedLastTimestamp") or first,
    )
