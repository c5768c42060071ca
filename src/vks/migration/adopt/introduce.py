"""Every server gets its Machine while nobody looks."""

from __future__ import annotations

from vks.kube.objects import KubeObject
from vks.migration.adopt.checks import objections
from vks.migration.adopt.handover import hold, managed_cluster
from vks.migration.adopt.keys import endpoint_of
from vks.migration.adopt.machines import (
    Body,
    control_plane_bodies,
    machine_set,
    worker_bodies,
)
from vks.migration.adopt.ports import port_body, unreserved
from vks.migration.adopt.rendered import Rendered, rendered
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.clusterapi import KubeadmConfig, Machine, MachineSet
from vks.resources.contract import OWNER_ANNOTATION
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort
from vks.runtime.result import Waiting

POLL = 1.0


class Introduce:
    """Only while the cluster is on hold: what Cluster API has changed since is not written over.
    The way back is that of the keys: everything goes at once."""

    name = "Introduce"

    async def do(self, scope: Scope) -> None:
        managed = await managed_cluster(scope)
        if managed.spec.inherited is None or managed.spec.inherited.on_hold != "Cluster":
            return
        made = await rendered(scope.client, scope.cluster)
        if not made.on_hold:
            raise Waiting("WaitingForHold", "the cluster's objects are not on hold yet", POLL)
        members = scope.cluster.status.etcd_members
        found = objections(scope.nodes, members, made.control_plane, made.deployments)
        found += unreserved(scope.cluster)
        if found:
            raise Waiting("WouldReplace", "; ".join(found), POLL)
        await write_infrastructure(scope)
        await write_machines(scope, made)
        await hold(scope, "ControlPlane")

    async def undo(self, scope: Scope) -> None:
        """Nothing by itself."""


async def write_infrastructure(scope: Scope) -> None:
    """Network and load balancer are found by the mark of their first owner, and stay when the
    cluster is given back. Raises ApiError, and Waiting without an endpoint."""
    endpoint = endpoint_of(scope)
    body = {
        "metadata": {
            "name": scope.name,
            "namespace": scope.namespace,
            "annotations": {OWNER_ANNOTATION: scope.cluster.metadata.uid},
        },
        "spec": {
            "controlPlaneEndpoint": {"host": endpoint.host, "port": endpoint.port},
            "deletionPolicy": "Retain",
        },
    }
    await scope.client.apply(VerdaCluster, body, field_manager=FIELD_MANAGER)


async def write_machines(scope: Scope, made: Rendered) -> None:
    """Raises ApiError."""
    written: list[tuple[type[KubeObject], Body]] = [
        (VerdaPort, port_body(scope.cluster, slot, made.port_pools[slot.pool], scope.nodes))
        for slot in scope.cluster.status.slots
        if slot.port_id
    ]
    for node in scope.nodes:
        if node.is_control_plane:
            config, server, machine = control_plane_bodies(node, made.control_plane)
            written.append((KubeadmConfig, config))
        else:
            deployment = made.deployments[node.spec.pool or "", node.spec.zone]
            server, machine = worker_bodies(node, deployment)
        written += [(VerdaMachine, server), (Machine, machine)]
    for deployment in made.deployments.values():
        if deployment["spec"]["replicas"]:
            written.append((MachineSet, machine_set(deployment)))
    for model, body in written:
        await scope.client.apply(model, body, field_manager=FIELD_MANAGER)
