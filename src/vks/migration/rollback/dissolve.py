"""The way back from `adopt`: the Cluster is deleted as any other, and the servers stay.

Nothing is taken apart by hand. Cluster API deletes its objects in its own order; a Cluster that
goes as a whole drains no node, deletes no Node and removes no etcd member (machine_controller.go,
isDeleteNodeAllowed; kubeadmcontrolplane_controller.go, reconcileDelete), and the provider keeps
servers, network and load balancer that were never released.
"""

from __future__ import annotations

from vks.kube.errors import NotFound
from vks.kube.objects import KubeObject
from vks.migration.adopt.observe import selector
from vks.migration.adopt.secrets import SECRET_TYPE
from vks.migration.rollback.own import is_going, own_machines, present
from vks.migration.run.scope import Scope
from vks.resources.clusterapi import (
    Cluster,
    KubeadmControlPlane,
    Machine,
    MachineDeployment,
    MachineSet,
)
from vks.resources.contract import PAUSED_ANNOTATION
from vks.resources.core import Secret
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort, VerdaPortPool
from vks.runtime.result import Waiting

POLL = 1.0

#: Go by Cluster API's hand, in its order; the ports, which it does not know, when they are asked.
_TREE: tuple[type[KubeObject], ...] = (
    Machine,
    VerdaMachine,
    MachineSet,
    MachineDeployment,
    KubeadmControlPlane,
    VerdaCluster,
    VerdaPortPool,
    VerdaPort,
)


async def dissolve(scope: Scope) -> None:
    """Raises Waiting until Cluster API knows nothing of the cluster; ApiError. Templates and health
    checks stay, which do nothing by themselves: they are the ManagedCluster's, and the service
    would miss them for a while when the cluster is adopted again."""
    await require_all_kept(scope)
    await _delete_tree(scope)
    await _delete_keys(scope)


async def require_all_kept(scope: Scope) -> None:
    """A node of Cluster API's own that lives in the cluster would go with the Cluster, and with it
    an etcd member that nobody has taken out. Raises Waiting, ApiError."""
    if await is_going(scope):
        return
    own = await present(scope, await own_machines(scope))
    if own:
        names = ", ".join(sorted(machine.metadata.name for machine, _ in own))
        raise Waiting("NodesReplaced", f"Cluster API has nodes of its own: {names}", 5.0)


async def _delete_tree(scope: Scope) -> None:
    """What is on hold would not go. It is let loose when it can do nothing else any more."""
    client, name, namespace = scope.client, scope.name, scope.namespace
    try:
        root = await client.get(Cluster, name, namespace)
    except NotFound:
        await _delete_orphans(scope)
        return
    if not root.deleting:
        await client.delete(Cluster, name, namespace, uid=root.metadata.uid)
    elif root.spec.paused:
        await client.merge_patch(Cluster, name, namespace, {"spec": {"paused": False}})
    for plane in await _all(scope, KubeadmControlPlane):
        if plane.deleting and PAUSED_ANNOTATION in plane.metadata.annotations:
            patch = {"metadata": {"annotations": {PAUSED_ANNOTATION: None}}}
            await client.merge_patch(KubeadmControlPlane, plane.metadata.name, namespace, patch)
    raise Waiting("ClusterGoes", await _left(scope), POLL)


async def _delete_orphans(scope: Scope) -> None:
    """What no Cluster ever owned is asked to go one by one."""
    left = 0
    for model in _TREE:
        left += await _delete_all(scope, model)
    if left:
        raise Waiting("ClusterGoes", await _left(scope), POLL)


async def _left(scope: Scope) -> str:
    counts = {model.resource.kind: len(await _all(scope, model)) for model in _TREE}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


async def _delete_keys(scope: Scope) -> None:
    found = await scope.client.list(Secret, scope.namespace, label_selector=selector(scope))
    for secret in found.items:
        if secret.type == SECRET_TYPE:
            meta = secret.metadata
            await scope.client.delete(Secret, meta.name, meta.namespace, uid=meta.uid)


async def _delete_all(scope: Scope, model: type[KubeObject]) -> int:
    """How many there are still."""
    found = await _all(scope, model)
    for item in found:
        if not item.deleting:
            meta = item.metadata
            await scope.client.delete(model, meta.name, meta.namespace, uid=meta.uid)
    return len(found)


async def _all(scope: Scope, model: type[KubeObject]) -> list[KubeObject]:
    found = await scope.client.list(model, scope.namespace, label_selector=selector(scope))
    return found.items
